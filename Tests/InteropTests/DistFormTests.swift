import ErlDist
import ExternalTermFormat
import Testing
import Transport

extension DistTests {
    /// What else the two sides can agree on.
    @Suite struct DistFormTests {
        private func node(
            _ fixture: DistFixture, _ change: (inout DistributionFlags) -> Void
        ) throws -> Node {
            try fixture.node("caller") { change(&$0.flags) }
        }

        @Test(arguments: [true, false])
        func `a node that caches atoms is understood`(fragments: Bool) async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try node(fixture) { flags in
                flags.insert(.headerAtomCache)
                if !fragments { flags.remove(.fragments) }
            }
            let atoms = (0..<300).map { Term.atom(Atom(shortEnough: "atom_\($0 % 37)_ü")) }
            for round in 0..<20 {
                let list = Term.list(Array(atoms[round...]))
                #expect(
                    try await node.call(
                        peer.name, "lists", "reverse", [list], timeout: .seconds(5)
                    ).asList
                        == list.asList.map { $0.reversed() })
            }
            // Large enough for fragments, whose first one carries the atoms.
            let large = Term.list([Term](repeating: .tuple([atoms[0], atoms[1]]), count: 30_000))
            #expect(
                try await node.call(
                    peer.name, "lists", "append", [large, []], timeout: .seconds(10)) == large)
        }

        @Test func `exit reasons inside the control message are read too`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try node(fixture) { $0.remove(.exitPayload) }
            #expect(
                try await node.call(peer.name, "lists", "seq", [1, 3], timeout: .seconds(5))
                    == [1, 2, 3])
        }

        @Test func `long names work as short ones do`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer(longName: "peer@127.0.0.1")
            let node = fixture.node(try NodeName("caller@127.0.0.1"))
            try await node.ping(peer.name)
            #expect(try await peer("nodes(hidden)") == "['caller@127.0.0.1']")
        }

        @Test func `formats are printed as the real io_lib does`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer", arguments: ["+pc", "unicode"])
            let node = try fixture.node("caller")
            let rows: [(String, [Term])] = [
                ("~s ~ts~n", [.charlist("a"), .binary("ü")]),
                ("~p ~w ~tp", [[104, 105], [104, 105], .tuple([.atom("Up"), .binary("x")])]),
                ("~5b|~-5b|~5..0b ~.16B ~.2#", [7, 7, 7, 255, 5]),
                ("~.3f ~e ~g ~10s|~-10s|~c", [2.5, 1.5, 1.5, .atom("x"), .atom("y"), 97]),
            ]
            for (format, arguments) in rows {
                let expected = try await node.call(
                    peer.name, "io_lib", "format", [.charlist(format), .list(arguments)],
                    timeout: .seconds(5))
                let printed = Printed()
                _ = try await node.call(
                    peer.name, "io", "format", [.charlist(format), .list(arguments)],
                    timeout: .seconds(5), output: { printed.append($0) })
                #expect(printed.text == expected.asText)
            }
        }
    }
}
