import ErlDist
import Testing
import Transport

@testable import deployex

@Suite struct HostNameTests {
    /// What real nodes of OTP 25 called themselves; `scripts/own-host-name.sh` asks them again.
    @Test(
        arguments: [
            // The name resolves to nothing, or stands first in its line.
            ("server", nil, "server", nil),
            ("server", "server", "server", nil),
            // 127.0.0.1 localhost server
            ("server", "localhost", "localhost", nil),
            // 127.0.1.1 server.example.com server
            ("server", "server.example.com", "server", "server.example.com"),
            // 127.0.1.1 other.example.com server
            ("server", "other.example.com", "other", "other.example.com"),
            // 127.0.0.1 localhost.localdomain localhost server
            ("server", "localhost.localdomain", "localhost", "localhost.localdomain"),
            // A machine that knows its domain is not looked up.
            ("server.example.org", "localhost", "server", "server.example.org"),
            ("SERVER", nil, "SERVER", nil),
            ("", nil, "nohost", "nohost.nodomain"),
        ] as [(String, String?, String, String?)])
    func `the host's names are those that OTP's nodes have`(
        machine: String, canonical: String?, short: String, long: String?
    ) {
        let host = HostName(machine: machine, canonical: canonical)
        #expect(host.short == short)
        #expect(host.long == long)
    }

    @Test func `long names take the domain of resolv.conf, and then no other`() {
        let host = HostName(
            machine: "server", canonical: "localhost", resolverDomain: "corp.example")
        #expect(host.long == "server.corp.example")
    }

    @Test func `the domain of resolv.conf is that of its last line of domain`() {
        let text = """
            # domain commented.example
            nameserver 127.0.0.1
            search corp.example
            domain\tfirst.example
            domain last.example
            domain
            """
        #expect(HostName.domain(resolvConf: text) == "last.example")
        #expect(HostName.domain(resolvConf: "search corp.example\n") == nil)
    }

    @Test func `a node without a host is on this one, and a long one needs a domain`() throws {
        let host = HostName(machine: "server", canonical: "localhost")
        #expect(try host.nodeName("a", usesLongNames: false).text == "a@localhost")
        #expect(try host.nodeName("a@server", usesLongNames: false).text == "a@server")
        #expect(throws: UsageError.self) { try host.nodeName("a", usesLongNames: true) }
        #expect(host.ownHost(and: "server.example.com").isNamed("server.example.com"))
    }
}
