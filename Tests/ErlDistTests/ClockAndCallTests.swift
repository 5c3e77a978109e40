import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import ErlDist

@Suite struct TickClockTests {
    private let start = MonotonicTime(nanoseconds: 0)

    @Test func `an idle connection ticks every quarter, and its peer's silence ends it`() {
        var clock = TickClock(time: .seconds(60), now: start)
        #expect(clock.nextCheck == start + .seconds(15))
        #expect(clock.check(now: start + .seconds(14)) == .none)
        #expect(clock.check(now: start + .seconds(15)) == .sendTick)
        #expect(clock.check(now: start + .seconds(30)) == .sendProbe)
        #expect(clock.check(now: start + .seconds(45)) == .sendProbe)
        #expect(clock.check(now: start + .seconds(60)) == .giveUp)
    }

    @Test func `frames of our own stand for ticks`() {
        var clock = TickClock(time: .seconds(60), now: start)
        clock.bytesSent()
        #expect(clock.check(now: start + .seconds(15)) == .none)
        clock.bytesReceived()
        #expect(clock.check(now: start + .seconds(30)) == .sendTick)
    }

    @Test func `any byte of the peer is a sign of life`() {
        var clock = TickClock(time: .seconds(60), now: start)
        for quarter in 1...20 {
            if quarter.isMultiple(of: 3) { clock.bytesReceived() }
            #expect(
                clock.check(now: start + .seconds(15 * quarter))
                    == (quarter % 3 == 2 ? .sendProbe : .sendTick))
        }
    }
}

@Suite struct PendingCallsTests {
    private func time(_ seconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0) + .seconds(seconds)
    }

    @Test func `a call ends once, by its answer or by its deadline`() {
        var calls = PendingCalls<String>()
        calls.insert(1, "one", deadline: time(5))
        calls.insert(2, "two", deadline: time(3))
        #expect(calls.nextDeadline == time(3))
        #expect(calls.remove(1) == "one")
        #expect(calls.remove(1) == nil)
        #expect(calls.takeExpired(now: time(2)).isEmpty)
        let expired = calls.takeExpired(now: time(3))
        #expect(expired.map(\.token) == ["two"])
        #expect(calls.remove(2) == nil)
        #expect(calls.count == 0)
    }

    @Test func `deadlines come in their order, those of finished calls harmlessly`() {
        var calls = PendingCalls<Int>()
        var random = SeededRandom(seed: 3)
        for number in (0..<1000).shuffled(using: &random) {
            calls.insert(UInt64(number), number, deadline: time(number))
        }
        for number in stride(from: 0, to: 1000, by: 2) {
            #expect(calls.remove(UInt64(number)) == number)
        }
        let expired = calls.takeExpired(now: time(1000)).map(\.token)
        #expect(expired == Array(stride(from: 1, to: 1000, by: 2)))
        #expect(calls.nextDeadline == nil)
    }

    @Test func `finished calls do not pile up`() {
        var calls = PendingCalls<Int>()
        for number in 0..<20_000 {
            calls.insert(UInt64(number), number, deadline: time(60))
            _ = calls.remove(UInt64(number))
        }
        #expect(calls.count == 0)
        #expect(calls.heldDeadlineCount <= 66)
    }

    @Test func `the end of the connection ends them all`() {
        var calls = PendingCalls<Int>()
        for number in 1...3 {
            calls.insert(UInt64(number), number, deadline: time(number))
        }
        #expect(calls.takeAll().sorted() == [1, 2, 3])
        #expect(calls.count == 0 && calls.nextDeadline == nil)
    }

    @Test func `a call changes while it waits`() {
        var calls = PendingCalls<String>()
        calls.insert(1, "a", deadline: time(1))
        calls.update(1) { $0 += "b" }
        calls.update(2) { $0 += "c" }
        #expect(calls.remove(1) == "ab")
    }
}

@Suite struct CallReplyTests {
    private let id = Terms.reference

    private func result(_ fields: Term...) -> Result<Term, CallError> {
        CallReply.result(ofExit: .tuple([.reference(id)] + fields), id: id)
    }

    @Test func `the ends of an erpc process are told apart`() {
        #expect(result(.atom("return"), 7) == .success(7))
        #expect(
            result(.atom("throw"), 7)
                == .failure(.exception(class: .throw, reason: 7, stack: [])))
        #expect(
            result(.atom("exit"), 7)
                == .failure(.exception(class: .exit, reason: 7, stack: [])))
        #expect(
            result(.atom("error"), .atom("badarg"), [1])
                == .failure(.exception(class: .error, reason: .atom("badarg"), stack: [1])))
        #expect(
            result(.atom("error"), .tuple([.atom("erpc"), .atom("badarg")]))
                == .failure(.badRPC(.atom("badarg"))))
        #expect(
            CallReply.result(ofExit: .atom("killed"), id: id)
                == .failure(.exception(class: .exit, reason: .atom("killed"), stack: [])))
        // Another call's result is not ours.
        let foreign = Term.tuple([1, .atom("return"), 7])
        #expect(
            CallReply.result(ofExit: foreign, id: id)
                == .failure(.exception(class: .exit, reason: foreign, stack: [])))
    }

    @Test func `what rex answers is told apart`() {
        #expect(CallReply.result(ofRex: 7) == .success(7))
        let badrpc = Term.atom("badrpc")
        #expect(
            CallReply.result(ofRex: .tuple([badrpc, .atom("nodedown")]))
                == .failure(.badRPC(.atom("nodedown"))))
        #expect(
            CallReply.result(
                ofRex: .tuple([
                    badrpc, .tuple([.atom("EXIT"), .tuple([.atom("undef"), [1]])]),
                ])) == .failure(.exception(class: .error, reason: .atom("undef"), stack: [1])))
    }
}
