import Testing

@testable import Transport

@Suite struct SocketTableTests {
    private func entry(_ line: String) -> SocketTableEntry? {
        SocketTableEntry(line: Array(line.utf8))
    }

    private let listening =
        "   0: 0100007F:1111 00000000:0000 0A 00000000:00000000 00:00000000 00000000"
        + "  1001        0 4711 1 00000000d8115d86 100 0 0 10 0                      "

    @Test func `a listening socket of IPv4`() throws {
        let entry = try #require(self.entry(listening))
        #expect(entry.local.description == "127.0.0.1:4369")
        #expect(entry.remote.description == "0.0.0.0:0")
        #expect(entry.state == .listening)
        #expect(entry.user == 1001)
        #expect(entry.inode == 4711)
    }

    @Test func `a connection of IPv6, and a mapped address`() throws {
        let line =
            "  12: 00000000000000000000000001000000:A001"
            + " 0000000000000000FFFF00000100007F:1111 01 00000000:00000000 02:000A3B2C 00000000"
            + " 4294967295        0 18446744073709551615 2 0000000000000000 20 4 30 10 -1"
        let entry = try #require(self.entry(line))
        #expect(entry.local.description == "[::1]:40961")
        #expect(entry.remote.unmapped.description == "127.0.0.1:4369")
        #expect(entry.state == .established)
        #expect(entry.user == .max)
        #expect(entry.inode == .max)
    }

    @Test(arguments: [
        "", " ", ":", "0: : : 0A : : : 0 0 0",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
        "0: 0100007F:1111 00000000:0000 0A 0:0 0:0 0 1001 0",
        "0: 0100007F:11110 00000000:0000 0A 0:0 0:0 0 1001 0 1",
        "0: 0100007F:+111 00000000:0000 0A 0:0 0:0 0 1001 0 1",
        "0: 0100007F:-111 00000000:0000 0A 0:0 0:0 0 1001 0 1",
        "0: 0100007F0:111 00000000:0000 0A 0:0 0:0 0 1001 0 1",
        "0: 0100007:1111 00000000:0000 0A 0:0 0:0 0 1001 0 1",
        "0: 0100007G:1111 00000000:0000 0A 0:0 0:0 0 1001 0 1",
        "0: 0100007F:1111:1 00000000:0000 0A 0:0 0:0 0 1001 0 1",
        "0: 0100007F:1111 00000000:0000 10A 0:0 0:0 0 1001 0 1",
        // One more than fits.
        "0: 0100007F:1111 00000000:0000 0A 0:0 0:0 0 4294967296 0 1",
        "0: 0100007F:1111 00000000:0000 0A 0:0 0:0 0 1001 0 18446744073709551616",
        "0: 0100007F:1111 00000000:0000 0A 0:0 0:0 0 +1001 0 1",
        "0: 0100007F:1111 00000000:0000 0A 0:0 0:0 0 -1 0 1",
        "0: 0100007F:1111 00000000:0000 0A 0:0 0:0 0 \u{664}\u{664} 0 1",
        String(repeating: "9 ", count: 100_000), String(repeating: ":", count: 500),
    ])
    func `what is no such line is none`(line: String) {
        #expect(entry(line) == nil)
    }

    @Test func `every prefix of a line, and every byte changed, is read without a trap`() {
        let bytes = Array(listening.utf8)
        for count in 0..<bytes.count { _ = SocketTableEntry(line: bytes[..<count]) }
        for index in bytes.indices {
            for byte: UInt8 in [0, 0x20, 0x2D, 0x30, 0x39, 0x3A, 0x46, 0x80, 0xFF] {
                var changed = bytes
                changed[index] = byte
                _ = SocketTableEntry(line: changed)
            }
        }
    }
}

@Suite struct ListeningSocketTests {
    private func socket(_ text: String, _ port: UInt16 = 7, user: UInt32 = 0) throws
        -> SocketTableEntry
    {
        SocketTableEntry(
            local: try #require(SocketAddress(text, port: port)), remote: .any(port: 0),
            state: .listening, user: user, inode: UInt64(user) + 1)
    }

    private func users(
        _ address: String, _ entries: [SocketTableEntry]
    ) throws -> [UInt32] {
        ListeningSocket.taking(try #require(SocketAddress(address, port: 7)), among: entries)
            .map(\.user).sorted()
    }

    @Test func `a listener takes its own address, or all of them`() throws {
        let entries = [
            try socket("127.0.0.1", user: 1), try socket("127.0.0.2", user: 2),
            try socket("127.0.0.1", 8, user: 3), try socket("::1", user: 4),
        ]
        #expect(try users("127.0.0.1", entries) == [1])
        #expect(try users("127.0.0.2", entries) == [2])
        #expect(try users("127.0.0.3", entries) == [])
        #expect(try users("::1", entries) == [4])
        #expect(try users("::ffff:127.0.0.1", entries) == [1])
        #expect(try users("0.0.0.0", entries) == [1])
        #expect(try users("::", entries) == [4])
        #expect(try users("10.0.0.1", [try socket("0.0.0.0", user: 5)]) == [5])
        #expect(try users("::1", [try socket("0.0.0.0", user: 5)]) == [])
    }

    @Test func `IPv6's wildcard takes IPv4 too, where no socket of IPv4 is there`() throws {
        let six = try socket("::", user: 6)
        #expect(try users("127.0.0.1", [six]) == [6])
        #expect(try users("::1", [six]) == [6])
        #expect(try users("127.0.0.1", [try socket("::ffff:127.0.0.1", user: 7)]) == [7])
        #expect(try users("127.0.0.1", [try socket("::ffff:0.0.0.0", user: 7)]) == [7])
        // A stranger's beside ours can only be one without IPv4: it keeps us from nothing.
        #expect(try users("127.0.0.1", [six, try socket("0.0.0.0", user: 1)]) == [1])
        #expect(try users("127.0.0.1", [six, try socket("127.0.0.1", user: 1)]) == [1])
    }

    @Test func `of several that could take it all are told`() throws {
        let entries = [try socket("0.0.0.0", user: 1), try socket("127.0.0.1", user: 2)]
        let found = ListeningSocket.taking(.loopback(port: 7), among: entries)
        #expect(found.map(\.user).sorted() == [1, 2])
        #expect(ListenerTrust.stranger(among: found, TrustedUsers(others: [1])) == 2)
        #expect(ListenerTrust.stranger(among: found, TrustedUsers(others: [1, 2])) == nil)
    }

    @Test func `what does not listen takes nothing`() throws {
        var entry = try socket("127.0.0.1")
        entry.state = .established
        #expect(ListeningSocket.taking(.loopback(port: 7), among: [entry]).isEmpty)
        entry.state = nil
        #expect(ListeningSocket.taking(.loopback(port: 7), among: [entry]).isEmpty)
    }
}
