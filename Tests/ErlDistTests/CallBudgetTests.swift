import ExternalTermFormat
import Testing

@testable import ErlDist

struct CallBudgetTests {
    @Test func `calls have a limit, those of one peer and their bytes too`() {
        var budget = CallBudget(limits: .init(count: 3, countOfPeer: 2, byteCount: 100))
        // A single one may have any size.
        #expect(budget.hasRoom(byteCount: 1000, of: "a"))
        budget.begin(byteCount: 40, of: "a")
        #expect(!budget.hasRoom(byteCount: 61, of: "b"))
        budget.begin(byteCount: 40, of: "a")
        #expect(!budget.hasRoom(byteCount: 1, of: "a"))
        #expect(budget.hasRoom(byteCount: 1, of: "b"))
        budget.begin(byteCount: 1, of: "b")
        #expect(!budget.hasRoom(byteCount: 1, of: "b"))
        budget.end(byteCount: 40, of: "a")
        #expect(budget.hasRoom(byteCount: 1, of: "a"))
        #expect(budget.count == 2 && budget.byteCount == 41)
    }
}
