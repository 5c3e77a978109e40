import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import ErlDist

@Suite struct TickClockTests {
    private let start = MonotonicTime(nanoseconds: 0)

    private func clock(_ time: Duration = .seconds(60)) -> TickClock {
        TickClock(time: time, now: start)
    }

    @Test func `an idle connection ticks every quarter, and its peer's silence ends it`() {
        var clock = clock()
        #expect(clock.nextCheck == start + .seconds(15))
        #expect(clock.check(now: start + .seconds(14)) == .none)
        #expect(clock.check(now: start + .seconds(15)) == .sendTick)
        #expect(clock.check(now: start + .seconds(30)) == .sendProbe)
        #expect(clock.check(now: start + .seconds(45)) == .sendProbe)
        #expect(clock.check(now: start + .seconds(60)) == .giveUp)
    }

    @Test func `frames of our own stand for ticks`() {
        var clock = clock()
        clock.bytesSent()
        #expect(clock.check(now: start + .seconds(15)) == .none)
        #expect(clock.received(isTick: true, now: start + .seconds(15)) == false)
        #expect(clock.check(now: start + .seconds(30)) == .sendTick)
    }

    @Test func `any byte of the peer is a sign of life`() {
        var clock = clock()
        for quarter in 1...20 {
            // What comes is an answer to the last tick, and not answered itself.
            if quarter.isMultiple(of: 3) {
                #expect(clock.received(isTick: true, now: start + .seconds(15 * quarter)) == false)
            }
            #expect(
                clock.check(now: start + .seconds(15 * quarter))
                    == (quarter % 3 == 2 ? .sendProbe : .sendTick))
        }
    }

    @Test func `what comes is answered when nothing was sent since the last time`() {
        var clock = clock()
        #expect(clock.received(isTick: true, now: start) == true)
        // The answer stands for a tick.
        #expect(clock.check(now: start + .seconds(15)) == .none)
        #expect(clock.received(isTick: true, now: start + .seconds(16)) == false)
        #expect(clock.received(isTick: true, now: start + .seconds(17)) == true)
        clock.bytesSent()
        #expect(clock.received(isTick: true, now: start + .seconds(18)) == false)
    }

    @Test(arguments: [(true, 10...20), (false, 4...5)])
    func `a flood is answered now and then`(isTick: Bool, counts: ClosedRange<Int>) {
        var clock = clock()
        let count = (0..<10_000).filter {
            clock.received(isTick: isTick, now: start + .milliseconds($0))
        }.count
        #expect(counts.contains(count), "\(count)")
    }

    /// Such a peer may close at once; what we sent then would end what it still has to send.
    @Test func `messages that come within two seconds are not answered`() {
        var clock = clock()
        for round in 0..<10 {
            let begin = start + .seconds(round * 20)
            #expect(clock.received(isTick: false, now: begin) == false)
            #expect(clock.received(isTick: false, now: begin + .milliseconds(1900)) == false)
            let end = begin + .milliseconds(2100)
            #expect(clock.received(isTick: false, mayBeMore: true, now: end) == false)
        }
    }

    /// A BEAM that sends messages, and therefore no ticks.
    @Test(arguments: [4, 5, 7, 15, 20, 30])
    func `a peer with a shorter tick time that sends messages hears from us in time`(
        seconds: Int
    ) {
        var clock = clock()
        for pause in [10, seconds * 240] {
            clock = self.clock()
            var (now, lastHeard) = (start, start)
            while now < start + .seconds(120) {
                now = now + .milliseconds(pause)
                if clock.received(isTick: false, now: now) { lastHeard = now }
                while clock.nextCheck <= now {
                    if clock.check(now: clock.nextCheck) == .sendTick { lastHeard = now }
                }
                #expect(now - lastHeard < .seconds(seconds))
            }
        }
    }

    /// A BEAM that only ticks: it looks every quarter of its tick time, and gives up after four
    /// quarters in which nothing came.
    @Test(arguments: [1, 2, 4, 5, 7, 15, 30])
    func `a peer with a shorter tick time hears from us in time`(seconds: Int) {
        var clock = clock()
        let quarter = Duration.milliseconds(seconds * 250)
        var (now, lastHeard) = (start, start)
        while now < start + .seconds(300) {
            now = now + quarter
            if clock.received(isTick: true, now: now) { lastHeard = now }
            while clock.nextCheck <= now {
                let action = clock.check(now: clock.nextCheck)
                #expect(action == .none || action == .sendTick)
                if action == .sendTick { lastHeard = now }
            }
            #expect(now - lastHeard < .seconds(seconds))
        }
    }

    /// The answer to an answer would be answered again, for ever.
    @Test(arguments: [0, 1, 20, 400, 600, 3000, 20_000])
    func `two nodes that answer each other fall silent again`(delay: Int) {
        var clocks = [clock(), clock()]
        clocks[1] = TickClock(time: .seconds(60), now: start + .milliseconds(7))
        /// What is under way: when it arrives, and at which of the two.
        var flying: [(time: MonotonicTime, to: Int)] = [
            // Both send something at the same time, and one sends more a while later.
            (start + .milliseconds(delay), 0), (start + .milliseconds(delay), 1),
            (start + .milliseconds(delay + 650), 0),
        ]
        for index in 0...1 { clocks[index].bytesSent() }
        var count = 0
        while true {
            let checks = clocks.indices.map { (time: clocks[$0].nextCheck, of: $0) }
            let check = checks.min { $0.time < $1.time } ?? checks[0]
            let arrival = flying.indices.min { flying[$0].time < flying[$1].time }
            guard
                min(check.time, arrival.map { flying[$0].time } ?? check.time) < start
                    + .seconds(600)
            else { break }
            if let arrival, flying[arrival].time <= check.time {
                let (time, receiver) = flying.remove(at: arrival)
                guard clocks[receiver].received(isTick: true, now: time) else { continue }
                count += 1
                flying.append((time + .milliseconds(delay), 1 - receiver))
            } else {
                switch clocks[check.of].check(now: check.time) {
                case .none: break
                case .sendTick, .sendProbe:
                    count += 1
                    flying.append((check.time + .milliseconds(delay), 1 - check.of))
                case .giveUp:
                    Issue.record("given up")
                    return
                }
            }
        }
        // Each ticks forty times in ten minutes. Each tick may be answered once.
        #expect(count <= 160, "\(count)")
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
