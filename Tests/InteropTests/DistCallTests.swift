import ErlDist
import ExternalTermFormat
import Testing
import Transport

@Suite(.timeLimit(.minutes(2))) struct DistCallTests {
    @Test func `a function of a real node is called and its result comes back`() async throws {
        let fixture = try await DistFixture()
        defer { fixture.end() }
        let peer = try await fixture.peer("peer")
        let node = try fixture.node("caller")
        let result = try await node.call(
            peer.name, "lists", "reverse", [[1, 2, 3]], timeout: .seconds(5))
        #expect(result == [3, 2, 1])
        #expect(await node.connectedNodes == [peer.name])
    }
}
