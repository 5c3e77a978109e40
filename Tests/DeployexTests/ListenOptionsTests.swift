import Supervisor
import Testing
import Transport

@testable import Deployment
@testable import deployex

@Suite struct ListenOptionsTests {
    private func listening(_ json: String, replicas: Int = 3, more: String = "") throws
        -> [ListeningAddress]
    {
        let text =
            #"{"applications": [{"name": "a", "replicas": \#(replicas), "listen": \#(json)\#(more)}]}"#
        let file = try ConfigurationFile(path: "/d.json", bytes: Array(text.utf8))
        return try ServerConfiguration(file: file, environment: [:]).applications[0].listening
    }

    private func listening(text: String, _ more: [String: String] = [:]) throws
        -> [ListeningAddress]
    {
        let variables = more.merging(["DEPLOYEX_LISTEN": text]) { $1 }
        return try ServerConfiguration(environment: variables).applications[0].listening
    }

    private func message(_ body: () throws -> [ListeningAddress]) throws -> String {
        try #require(#expect(throws: UsageError.self) { _ = try body() }).message
    }

    @Test func `the file and the variable say the same`() throws {
        let any = SocketAddress.any(port: 4000)
        #expect(try listening("[]") == [])
        #expect(
            try listening(#"[{"name": "http", "address": "0.0.0.0:4000"}]"#)
                == [ListeningAddress(name: "http", address: any, mode: .shared, backlog: 1024)])
        #expect(try listening(text: "http=0.0.0.0:4000").map(\.address) == [any])
        let two = try listening(text: "http=[::]:4000/own, admin_2=127.0.0.1:4100")
        #expect(two.map(\.name) == ["http", "admin_2"])
        #expect(two.map(\.mode) == [.own, .shared])
        #expect(two.map { "\($0.address)" } == ["[::]:4000", "127.0.0.1:4100"])
        let full = #"[{"name":"x","address":"[::1]:1","mode":"own","backlog":7}]"#
        #expect(
            try listening(full)
                == [
                    ListeningAddress(
                        name: "x", address: .loopbackOfIPv6(port: 1), mode: .own, backlog: 7)
                ])
    }

    @Test(arguments: [
        ("http", "NAME=ADDRESS:PORT"), ("=0.0.0.0:1", "a name is"), ("HTTP=0.0.0.0:1", "a name is"),
        ("http=4000", "an address of this host"),
        ("http=localhost:4000", "an address of this host"),
        ("http=0.0.0.0:0", "an address"), ("http=0.0.0.0:65536", "an address"),
        ("http=0.0.0.0:+1", "an address"), ("http=:::4000", "an address"),
        ("http=[0.0.0.0]:4000", "an address"), ("http=0.0.0.0:4000/both", "NAME=ADDRESS:PORT"),
        ("http=0.0.0.0:4000,", "NAME=ADDRESS:PORT"),
        ("http=0.0.0.0:1,http=0.0.0.0:2", "http is there twice"),
        ("http=0.0.0.0:65534/own", "need ports up to 65536"),
        ("a=0.0.0.0:4000,b=127.0.0.1:4000", "b at 127.0.0.1:4000 would take a port of a"),
        ("a=[::]:4000,b=127.0.0.1:4000", "would take a port of a at [::]:4000"),
        ("a=127.0.0.1:4000/own,b=127.0.0.1:4002", "would take a port of a"),
    ])
    func `a wrong value is named with what is valid there`(text: String, expected: String) throws {
        let message = try message { try listening(text: text) }
        #expect(message.hasPrefix("DEPLOYEX_LISTEN=\(text): "), "\(message)")
        #expect(message.contains(expected), "\(message)")
    }

    @Test func `addresses that can stand side by side do`() throws {
        let text = "a=127.0.0.1:4000,b=127.0.0.2:4000,c=[::1]:4000,d=0.0.0.0:4001"
        #expect(try listening(text: text).count == 4)
    }

    @Test func `the file's errors name the element`() throws {
        func failure(_ json: String, more: String = "") throws -> String {
            try message { try listening(json, more: more) }
        }
        let place = "/d.json: applications[0].listen"
        #expect(try failure("{}").hasPrefix("\(place): a list"))
        #expect(try failure("[1]").hasPrefix("\(place)[0]: an object"))
        #expect(try failure(#"[{"name":"a"}]"#).contains("with a name and an address"))
        let known = #""name":"a","address":"0.0.0.0:1""#
        #expect(
            try failure("[{\(known),\"port\":1}]").hasPrefix("\(place)[0].port: there is only name")
        )
        #expect(try failure("[{\(known),\"mode\":\"all\"}]").contains("mode: shared or own"))
        #expect(try failure("[{\(known),\"backlog\":0}]").contains("from 1 to 65535"))
        let many = (0...16).map { #"{"name":"n\#($0)","address":"0.0.0.0:\#($0 + 100)"}"# }
        #expect(
            try failure("[\(many.joined(separator: ","))]").hasPrefix(
                "\(place)[16]: at most 16 addresses"))
    }

    @Test func `an HTTP path cannot tell replicas apart that share a socket`() throws {
        let check = #", "readiness": {"http_path": "/health"}"#
        let shared = #"[{"name":"web","address":"0.0.0.0:1"}]"#
        #expect(
            try message { try listening(shared, more: check) }
                == "/d.json: applications[0].readiness.http_path cannot tell which replica answers "
                + "where all share the socket web: leave it out, and the distribution says who is "
                + "ready, or give each replica its own socket (mode own)")
        let own = #"[{"name":"web","address":"0.0.0.0:1","mode":"own"}]"#
        #expect(try listening(own, more: check).count == 1)
    }

    @Test func `applications do not take each other's ports, and their own first port is theirs`()
        throws
    {
        func check(_ listen: String, _ other: String) throws {
            let text = #"""
                {"applications": [
                  {"name": "a", "first_port": 4000, "replicas": 2, "listen": [\#(listen)]},
                  {"name": "b", "first_port": 4100, "replicas": 2, "listen": [\#(other)]}]}
                """#
            let file = try ConfigurationFile(path: "/d.json", bytes: Array(text.utf8))
            _ = try ServerConfiguration(file: file, environment: [:])
        }
        func listener(_ port: Int, _ mode: String = "shared") -> String {
            #"{"name": "http", "address": "127.0.0.1:\#(port)", "mode": "\#(mode)"}"#
        }
        try check(listener(4000), listener(4100))
        try check(listener(5000, "own"), listener(5002, "own"))
        for (one, other) in [
            (listener(4101), ""), ("", listener(4001)), (listener(5000, "own"), listener(5001)),
        ] {
            let error = #expect(throws: UsageError.self) { try check(one, other) }
            #expect(error?.message.contains("listen: b would take the port") == true)
        }
    }

    @Test func `what deployex sets cannot be set beside it`() throws {
        for name in ["LISTEN_FDS", "LISTEN_PID", "DEPLOYEX_LISTEN_FD_HTTP"] {
            let message = try message {
                try listening("[]", more: #", "environment": {"\#(name)": "3"}"#)
            }
            #expect(message.contains("deployex itself sets this variable"))
        }
    }

    @Test func `who accepts connections of a held socket has time to answer them`() throws {
        func stopTimeout(_ variables: [String: String]) throws -> Duration {
            try ServerConfiguration(environment: variables).applications[0].timings.stopTimeout
        }
        let listen = ["DEPLOYEX_LISTEN": "http=127.0.0.1:1"]
        func more(_ name: String, _ value: String) -> [String: String] {
            listen.merging([name: value]) { $1 }
        }
        #expect(try stopTimeout([:]) == .seconds(10))
        #expect(try stopTimeout(listen) == .seconds(15))
        #expect(try stopTimeout(more("DEPLOYEX_STOP_TIMEOUT", "30")) == .seconds(30))
        #expect(try stopTimeout(more("DEPLOYEX_DRAIN_TIMEOUT", "0")) == .seconds(10))
        #expect(try stopTimeout(more("DEPLOYEX_DRAIN_TIMEOUT", "60")) == .seconds(60))
        #expect(try stopTimeout(["DEPLOYEX_DRAIN_TIMEOUT": "20"]) == .seconds(20))
    }

    @Test func `each instance of a listener's own gets the next port`() throws {
        let own = try listening(text: "http=127.0.0.1:4000/own")[0]
        #expect("\(own.address(of: 3))" == "127.0.0.1:4002")
        #expect("\(own.socket(of: 3, application: "a"))" == "a/http/3")
        let shared = try listening(text: "http=127.0.0.1:4000")[0]
        #expect("\(shared.address(of: 3))" == "127.0.0.1:4000")
        #expect("\(shared.socket(of: 3, application: "a"))" == "a/http")
    }
}

@Suite struct HolderStartsTests {
    @Test func `one that ends again and again is started ever more rarely`() {
        var starts = HolderStarts()
        let now = MonotonicTime.now
        #expect(starts.delay(now: now) == .zero)
        #expect(starts.delay(now: now + .seconds(1)) == .milliseconds(500))
        #expect(starts.delay(now: now + .seconds(2)) == .seconds(1))
        #expect(starts.delay(now: now + .seconds(300)) == .zero)
    }
}
