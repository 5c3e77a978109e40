import Testing

@testable import Transport

@Suite struct AdmittedPeersTests {
    private func address(_ text: String) throws -> SocketAddress {
        try #require(SocketAddress(text, port: 7))
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false),
        ("10.1.2.0/23", "10.1.3.9", true), ("10.1.2.0/23", "10.1.4.0", false),
        ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false),
        ("0.0.0.0/0", "::ffff:8.8.8.8", true), ("::/0", "fd00::1", true),
        ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe80::1", false), ("::/0", "8.8.8.8", false),
    ])
    func `a network holds its addresses`(network: String, peer: String, isIn: Bool) throws {
        #expect(try #require(IPNetwork(network)).contains(address(peer)) == isIn)
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8",
        "10.0.0.1/8", "::1/64", "::/129", "10.0/8", "localhost", "10.0.0.0/٨",
        "10.0.0.0/99999999999999999999",
    ])
    func `what is no network is none`(text: String) {
        #expect(IPNetwork(text) == nil)
    }

    @Test func `a network is written as it is read`() throws {
        for text in ["10.0.0.0/8", "fd00::/8", "::1/128"] {
            #expect(try #require(IPNetwork(text)).description == text)
        }
    }

    @Test func `this host is loopback and every address of its own, however it is written`() throws
    {
        let host = HostAddresses([try address("10.0.0.1"), try address("fe80::1")])
        func isAdmitted(_ peer: String, to own: String) throws -> Bool {
            let peer = try address(peer)
            let isOfThisHost = AdmittedPeers.isOfThisHost(
                peer, to: try address(own), host: host.contains)
            return AdmittedPeers.thisHost.admit(peer, isOfThisHost: isOfThisHost)
        }
        #expect(try isAdmitted("127.0.0.1", to: "127.0.0.1"))
        #expect(try isAdmitted("::ffff:127.9.9.9", to: "::1"))
        // A BEAM that dials the address of the host on its network.
        #expect(try isAdmitted("10.0.0.1", to: "10.0.0.1"))
        #expect(try isAdmitted("10.0.0.1", to: "127.0.0.1"))
        #expect(try isAdmitted("::ffff:10.0.0.1", to: "10.0.0.2"))
        #expect(try isAdmitted("fe80::1", to: "fe80::2"))
        #expect(try !isAdmitted("10.0.0.2", to: "10.0.0.1"))
        #expect(try !isAdmitted("fe80::2", to: "fe80::1"))
        // A connection that has ended already.
        #expect(try !isAdmitted("0.0.0.0", to: "0.0.0.0"))
    }

    @Test func `networks add to this host, or stand alone`() throws {
        let ten = try #require(IPNetwork("10.0.0.0/8"))
        func isAdmitted(_ peers: AdmittedPeers, _ peer: String) throws -> Bool {
            let peer = try address(peer)
            let isOfThisHost = AdmittedPeers.isOfThisHost(
                peer, to: try address("9.9.9.9"), host: { _ in false })
            return peers.admit(peer, isOfThisHost: isOfThisHost)
        }
        #expect(try isAdmitted(.thisHost(and: [ten]), "10.2.3.4"))
        #expect(try isAdmitted(.thisHost(and: [ten]), "127.0.0.1"))
        #expect(try !isAdmitted(.thisHost(and: [ten]), "11.2.3.4"))
        #expect(try isAdmitted(.everybody, "11.2.3.4"))
        #expect(try isAdmitted(.networks([ten]), "10.2.3.4"))
        #expect(try !isAdmitted(.networks([ten]), "127.0.0.1"))
    }

    @Test func `this host's addresses are read once a second, and once more for one that is new`()
        throws
    {
        var recent = RecentHostAddresses()
        let (old, new, other) = (
            try address("10.0.0.1"), try address("10.0.0.2"), try address("10.0.0.9")
        )
        var host = [old]
        var count = 0
        func contains(_ address: SocketAddress, at now: MonotonicTime) -> Bool {
            recent.contains(address, now: now) {
                count += 1
                return HostAddresses(host)
            }
        }
        let begin = MonotonicTime.now
        for _ in 0..<9 { #expect(contains(old, at: begin)) }
        #expect(count == 1)
        host = [old, new]
        #expect(contains(new, at: begin + .milliseconds(10)))
        #expect(count == 2)
        // Another host that connects all the time.
        for time in 11..<1000 { #expect(!contains(other, at: begin + .milliseconds(time))) }
        #expect(count == 2)
        host = []
        #expect(!contains(old, at: begin + .milliseconds(1010)))
        #expect(count == 3)
        for time in 1011..<2000 { #expect(!contains(old, at: begin + .milliseconds(time))) }
        #expect(count <= 4)
    }
}
