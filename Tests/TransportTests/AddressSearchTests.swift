import Testing

@testable import Transport

@Suite struct AddressSearchTests {
    /// All addresses, as text.
    private func all(_ search: AddressSearch) async throws -> [String] {
        var search = search
        var found: [String] = []
        while let address = try await search.next() { found.append(address.description) }
        return found
    }

    @Test
    func `this host is looked for on loopback, and then nowhere if its name does not resolve`()
        async throws
    {
        let search = AddressSearch(
            host: "no such host", port: 9, ownHost: OwnHost(["no such host"]))
        #expect(try await all(search) == ["127.0.0.1:9", "[::1]:9"])
    }

    @Test func `what this host's name resolves to comes after loopback, each address once`()
        async throws
    {
        let found = try await all(AddressSearch(host: "localhost", port: 9))
        #expect(found.prefix(2) == ["127.0.0.1:9", "[::1]:9"])
        #expect(Set(found).count == found.count)
    }

    @Test func `another host is what its name resolves to`() async throws {
        await #expect(throws: ResolutionError.self) {
            try await all(AddressSearch(host: "no such host", port: 9))
        }
    }

    @Test(arguments: [("10.1.2.3", "10.1.2.3:9"), ("fd00::1", "[fd00::1]:9")])
    func `an address is no name, even when a node of this host has it`(
        host: String, address: String
    ) async throws {
        #expect(
            try await all(AddressSearch(host: host, port: 9, ownHost: OwnHost([host])))
                == [address])
    }

    @Test func `addresses that are given are all that there are`() async throws {
        #expect(try await all([]) == [])
        #expect(
            try await all([.loopback(port: 1), .loopback(port: 2), .loopback(port: 1)])
                == ["127.0.0.1:1", "127.0.0.1:2"])
    }

    @Test func `a host is named by its machine's name with and without the domain, in any case`() {
        let host = OwnHost(["web.example.com", "10.0.0.1"], machine: "Server.example.org")
        for name in [
            "server", "SERVER.example.org", "localhost", "Web.Example.com",
        ] {
            #expect(host.isNamed(name), "\(name)")
        }
        for name in ["web", "other", "server.example.com", "10.0.0.1", "127.0.0.1", "::1", ""] {
            #expect(!host.isNamed(name), "\(name)")
        }
    }
}
