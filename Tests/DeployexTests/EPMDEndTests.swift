import EPMD
import Testing
import Transport

@testable import deployex

@Suite struct EPMDEndTests {
    /// - Parameter lists: the names that EPMD lists, one after the other; it refuses to end.
    private func end(_ lists: [[String]]) async throws -> EPMDEnd {
        let rest = Guarded(lists)
        return try await EPMDEnd.end(
            within: .zero, on: try EventLoop.onOwnThread(),
            names: { () async throws(EPMDError) -> [String] in
                rest.withLock { $0.isEmpty ? [] : $0.removeFirst() }
            },
            kill: { () async throws(EPMDError) -> Bool in false })
    }

    @Test func `whoever has come before EPMD was to end is named`() async throws {
        #expect(try await end([[], ["other"]]) == .needed(by: ["other"]))
        #expect(try await end([["counter-1"]]) == .needed(by: ["counter-1"]))
    }

    @Test func `an EPMD without nodes ends at once`() async throws {
        let ended = try await EPMDEnd.end(
            within: .zero, on: try EventLoop.onOwnThread(),
            names: { () async throws(EPMDError) -> [String] in [] },
            kill: { () async throws(EPMDError) -> Bool in true })
        #expect(ended == .ended)
    }
}
