import Testing
import Transport

@testable import Dashboard

@Suite struct TerminalDeskTests {
    private let start = MonotonicTime(nanoseconds: 0)
    private var limits = TerminalDesk<Int>.Limits()

    private func after(_ seconds: Int) -> MonotonicTime { start + .seconds(seconds) }

    @Test func `an owner has few terminals, and all together not many`() throws {
        var desk = TerminalDesk<Int>()
        for number in 0..<4 { try desk.open("a\(number)", for: 1, at: start) }
        #expect(throws: TerminalDesk<Int>.Refusal.tooManyOfOwner(limit: 4)) {
            try desk.open("a4", for: 1, at: start)
        }
        for number in 4..<20 { try desk.open("b\(number)", for: number / 4 + 1, at: start) }
        #expect(throws: TerminalDesk<Int>.Refusal.tooMany(limit: 20)) {
            try desk.open("c", for: 99, at: start)
        }
        desk.closed("a0")
        try desk.open("c", for: 99, at: start)
        #expect(desk.terminals(of: 1) == ["a1", "a2", "a3"])
    }

    @Test func `only its owner has a terminal`() throws {
        var desk = TerminalDesk<Int>()
        try desk.open("a", for: 1, at: start)
        #expect(desk.isOpen("a", for: 1))
        #expect(!desk.isOpen("a", for: 2))
        #expect(!desk.isOpen("b", for: 1))
    }

    @Test func `a terminal ends when nothing is typed, when it is old, when nobody shows it`()
        throws
    {
        var desk = TerminalDesk<Int>()
        try desk.open("a", for: 1, at: start)
        #expect(desk.next == after(60))
        #expect(desk.due(at: after(59)).isEmpty)
        #expect(desk.due(at: after(60)).map(\.end) == [.unread])
        desk.readerCame("a")
        desk.readerCame("a")
        desk.readerWent("a", at: after(100))
        #expect(desk.next == after(1_800), "one still reads")
        desk.typed("a", at: after(200))
        #expect(desk.due(at: after(1_999)).isEmpty)
        #expect(desk.due(at: after(2_000)).map(\.end) == [.idle])
        desk.readerWent("a", at: after(300))
        #expect(desk.next == after(360))
        desk.readerCame("a")
        for second in stride(from: 1_000, to: 28_800, by: 1_000) {
            desk.typed("a", at: after(second))
            #expect(desk.due(at: after(second)).isEmpty)
        }
        #expect(desk.due(at: after(28_800)).map(\.end) == [.old])
    }
}

@Suite struct TerminalBufferTests {
    @Test func `a reader gets everything once, in parts`() {
        var buffer = TerminalBuffer()
        buffer.append([1, 2, 3])
        var place: Int?
        var read: [UInt8] = []
        for _ in 0..<3 {
            let next = buffer.next(after: place, limit: 2)
            read += next.bytes
            #expect(next.skipped == 0)
            place = next.next
        }
        #expect(read == [1, 2, 3])
        #expect(place == buffer.end)
        buffer.append([4])
        #expect(buffer.next(after: place, limit: 10).bytes == [4])
    }

    @Test func `it is full until somebody has read`() {
        var buffer = TerminalBuffer(keptByteCount: 4, unreadByteCount: 10)
        buffer.append([UInt8](0..<9))
        #expect(!buffer.isFull)
        buffer.append([9, 10])
        #expect(buffer.isFull)
        // Not read yet: the reader may not have got it.
        let first = buffer.next(after: nil, limit: 5)
        #expect(buffer.isFull)
        _ = buffer.next(after: first.next, limit: 100)
        #expect(!buffer.isFull)
        #expect(buffer.next(after: 3, limit: 2).bytes == [3, 4])
    }

    @Test func `a page that is loaded again gets what is kept, and what was dropped is told`() {
        var buffer = TerminalBuffer(keptByteCount: 4, unreadByteCount: 10)
        buffer.append([UInt8](0..<20))
        _ = buffer.next(after: nil, limit: 100)
        _ = buffer.next(after: 20, limit: 100)
        let again = buffer.next(after: nil, limit: 100)
        #expect(again.bytes == [16, 17, 18, 19])
        let old = buffer.next(after: 10, limit: 100)
        #expect(old.skipped == 6 && old.bytes == [16, 17, 18, 19])
    }

    @Test func `a place that no buffer has is no error`() {
        var buffer = TerminalBuffer()
        buffer.append([1, 2])
        #expect(buffer.next(after: 1 << 40, limit: 9).bytes == [])
        #expect(buffer.next(after: -5, limit: 9).bytes == [1, 2])
    }
}
