import ExternalTermFormat
import Testing
import Transport

@testable import ErlDist

struct PeerBudgetTests {
    private let near = PeerSource(.loopback(port: 1))
    private let far = SocketAddress("192.0.2.1", port: 1).map(PeerSource.init)

    private func budget(_ change: (inout PeerBudget.Limits) -> Void) -> PeerBudget {
        var limits = PeerBudget.Limits()
        change(&limits)
        return PeerBudget(limits: limits)
    }

    @Test func `one connection too many takes the place of the oldest where there are most`() throws
    {
        let far = try #require(far)
        var budget = budget { $0.connectionCount = 3 }
        #expect(budget.admit("a", from: far) == nil)
        #expect(budget.admit("b", from: near) == nil)
        #expect(budget.admit("c", from: near) == nil)
        #expect(budget.admit("d", from: near) == "b")
        budget.end("a")
        #expect(budget.admit("e", from: far) == nil)
    }

    @Test func `a peer that the node itself uses makes room for nobody`() {
        var budget = budget { $0.connectionCount = 2 }
        _ = budget.admit("app", from: near)
        budget.use("app")
        #expect(budget.admit("b", from: near) == nil)
        #expect(budget.admit("c", from: near) == nil)
        #expect(budget.admit("d", from: near) == "b")
    }

    @Test func `with too many bytes the peer that has most goes`() {
        var budget = budget { $0.byteCount = 100 }
        #expect(budget.hold(byteCount: 60, for: "a") == nil)
        #expect(budget.hold(byteCount: 40, for: "b") == nil)
        #expect(budget.hold(byteCount: 41, for: "b") == "a")
        budget.end("a")
        #expect(budget.heldByteCount == 41)
        #expect(budget.hold(byteCount: 101, for: "b") == "b")
        #expect(budget.hold(byteCount: 0, for: "b") == nil)
        #expect(budget.heldByteCount == 0)
    }
}
