import ExternalTermFormat
import Testing

@testable import ErlDist

@Suite struct MailboxTests {
    private func message(_ number: Int) -> ErlangProcess.Message {
        .message(.integer(number), from: nil)
    }

    private let down = ErlangProcess.Message.down(
        .init(monitor: Terms.reference, process: .alias(Terms.reference), reason: .atom("x")))

    private func mailbox(_ whenFull: MailboxCapacity.WhenFull) -> Mailbox {
        Mailbox(capacity: MailboxCapacity(messageCount: 2, whenFull: whenFull))
    }

    @Test func `messages come out in the order in which they came, however many`() {
        var mailbox = Mailbox(capacity: MailboxCapacity(messageCount: 10_000))
        var next = 0
        for number in 0..<10_000 {
            #expect(mailbox.append(message(number)) == .kept)
            if number.isMultiple(of: 3) {
                #expect(mailbox.popFirst() == message(next))
                next += 1
            }
        }
        while let taken = mailbox.popFirst() {
            #expect(taken == message(next))
            next += 1
        }
        #expect(next == 10_000)
        #expect(mailbox.count == 0)
    }

    @Test func `a full mailbox drops the newest, the oldest, or overflows`() {
        for (policy, outcome, kept) in [
            (MailboxCapacity.WhenFull.dropNewest, Mailbox.Outcome.dropped, [1, 2]),
            (.dropOldest, .dropped, [2, 3]), (.endProcess, .overflowed, [1, 2]),
        ] {
            var mailbox = mailbox(policy)
            for number in 1...2 { #expect(mailbox.append(message(number)) == .kept) }
            #expect(mailbox.append(message(3)) == outcome)
            #expect(mailbox.popFirst() == message(kept[0]))
            #expect(mailbox.popFirst() == message(kept[1]))
            #expect(mailbox.popFirst() == nil)
        }
    }

    @Test func `bytes fill it too, and a single message may have any size`() {
        for (policy, outcome, kept) in [
            (MailboxCapacity.WhenFull.dropNewest, Mailbox.Outcome.dropped, [1, 2]),
            (.dropOldest, .dropped, [3]), (.endProcess, .overflowed, [1, 2]),
        ] {
            var mailbox = Mailbox(capacity: MailboxCapacity(byteCount: 10, whenFull: policy))
            #expect(mailbox.append(message(0), byteCount: 100) == .kept)
            #expect(mailbox.popFirst() == message(0))
            #expect(mailbox.append(message(1), byteCount: 4) == .kept)
            #expect(mailbox.append(message(2), byteCount: 6) == .kept)
            #expect(mailbox.append(message(3), byteCount: 5) == outcome)
            for number in kept { #expect(mailbox.popFirst() == message(number)) }
            #expect(mailbox.popFirst() == nil)
        }
    }

    @Test func `what a monitor asked for has room in any case and is not dropped`() {
        var mailbox = mailbox(.dropOldest)
        #expect(mailbox.append(down) == .kept)
        #expect(mailbox.append(message(1)) == .kept)
        #expect(mailbox.append(down) == .kept)
        #expect(mailbox.append(message(2)) == .dropped)
        #expect(mailbox.popFirst() == down)
        #expect(mailbox.popFirst() == down)
        #expect(mailbox.popFirst() == message(2))
    }

    @Test func `the end that waits is gone with its monitor`() {
        var mailbox = mailbox(.endProcess)
        _ = mailbox.append(message(1))
        _ = mailbox.popFirst()
        _ = mailbox.append(down)
        _ = mailbox.append(message(2))
        mailbox.removeDown(Terms.reference)
        #expect(mailbox.popFirst() == message(2))
        #expect(mailbox.popFirst() == nil)
    }
}
