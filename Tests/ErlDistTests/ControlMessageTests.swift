import ExternalTermFormat
import Testing

@testable import ErlDist

@Suite struct ControlMessageTests {
    private static let pid = Terms.pid
    private static let other = Terms.other
    private static let reference = Terms.reference

    private static let request = SpawnRequest(
        id: Terms.reference, from: Terms.pid, groupLeader: Terms.other, module: "erpc",
        function: "execute_call", arguments: [1, .atom("m"), .atom("f"), []],
        options: [.atom("monitor")], token: nil)

    /// One of each.
    static let all: [ControlMessage] = [
        .send(from: pid, to: other, message: .atom("hi"), token: nil),
        .registeredSend(from: pid, to: "rex", message: 1, token: nil),
        .aliasSend(from: pid, to: reference, message: 1, token: nil),
        .alternativeSend(
            options: [.priority, .token], from: pid, to: .pid(other), payload: 1, token: []),
        .link(from: pid, to: other), .unlink(from: pid, to: other),
        .unlinkID(id: .max, from: pid, to: other),
        .unlinkAcknowledgement(id: 1, from: pid, to: other),
        .exit(from: pid, to: other, reason: .atom("bye"), token: nil),
        .exitRequest(from: pid, to: other, reason: .atom("bye"), token: nil),
        .groupLeader(from: pid, to: other),
        .monitor(from: pid, to: .name("rex"), reference: reference),
        .monitor(from: pid, to: .pid(other), reference: reference),
        .demonitor(from: pid, to: .name("rex"), reference: reference),
        .down(from: .name("rex"), to: other, reference: reference, reason: .atom("noproc")),
        .spawnRequest(request),
        .spawnReply(
            SpawnReply(
                id: reference, to: pid, isLinked: false, isMonitored: true,
                result: .started(other), token: nil)),
        .spawnReply(
            SpawnReply(
                id: reference, to: pid, isLinked: true, isMonitored: false,
                result: .failed("badopt"), token: nil)),
        .nodeLink,
    ]

    @Test(arguments: [
        DistributionFlags.standard, .mandatory25, [.mandatory25, .sendSender],
        [.mandatory25, .exitPayload],
    ])
    func `each operation is read back from the form that the flags allow`(
        flags: DistributionFlags
    ) throws {
        for message in Self.all {
            let (control, payload) = message.terms(flags)
            var expected = message
            if case .send(_, let to, let text, let token) = message,
                !flags.contains(.sendSender)
            {
                expected = .send(from: nil, to: to, message: text, token: token)
            }
            #expect(try ControlMessage(control, payload: payload) == expected)
        }
    }

    @Test func `the terms are those of the protocol`() {
        let from = Term.pid(Self.pid)
        let to = Term.pid(Self.other)
        let id = Term.reference(Self.reference)
        func check(
            _ message: ControlMessage, _ control: Term, _ payload: Term?,
            _ flags: DistributionFlags = .standard
        ) {
            let terms = message.terms(flags)
            #expect(terms.control == control)
            #expect(terms.payload == payload)
        }
        check(Self.all[0], .tuple([22, from, to]), .atom("hi"))
        check(Self.all[0], .tuple([2, .atom(""), to]), .atom("hi"), .mandatory25)
        check(Self.all[1], .tuple([6, from, .atom(""), .atom("rex")]), 1)
        check(Self.all[2], .tuple([33, from, id]), 1)
        check(Self.all[3], .tuple([37, 3, from, to, []]), 1)
        check(Self.all[6], .tuple([35, Term(UInt64.max), from, to]), nil)
        check(Self.all[7], .tuple([36, 1, from, to]), nil)
        check(Self.all[8], .tuple([24, from, to]), .atom("bye"))
        check(Self.all[8], .tuple([3, from, to, .atom("bye")]), nil, .mandatory25)
        check(Self.all[9], .tuple([26, from, to]), .atom("bye"))
        check(Self.all[9], .tuple([8, from, to, .atom("bye")]), nil, .mandatory25)
        check(Self.all[11], .tuple([19, from, .atom("rex"), id]), nil)
        check(Self.all[14], .tuple([28, .atom("rex"), to, id]), .atom("noproc"))
        check(
            Self.all[14], .tuple([21, .atom("rex"), to, id, .atom("noproc")]), nil, .mandatory25)
        check(
            Self.all[15],
            .tuple([
                29, id, from, to, .tuple([.atom("erpc"), .atom("execute_call"), 4]),
                [.atom("monitor")],
            ]), [1, .atom("m"), .atom("f"), []])
        check(Self.all[16], .tuple([31, id, from, 2, to]), nil)
        check(Self.all[17], .tuple([31, id, from, 1, .atom("badopt")]), nil)
    }

    @Test func `the forms with a trace token are read too`() throws {
        let from = Term.pid(Self.pid)
        let to = Term.pid(Self.other)
        let id = Term.reference(Self.reference)
        let token: Term = .tuple([0, 1])
        func read(_ fields: [Term], _ payload: Term? = nil) throws -> ControlMessage {
            try ControlMessage(.tuple(fields), payload: payload)
        }
        #expect(
            try read([12, .atom(""), to, token], 1)
                == .send(from: nil, to: Self.other, message: 1, token: token))
        #expect(
            try read([23, from, to, token], 1)
                == .send(from: Self.pid, to: Self.other, message: 1, token: token))
        #expect(
            try read([16, from, .atom(""), .atom("rex"), token], 1)
                == .registeredSend(from: Self.pid, to: "rex", message: 1, token: token))
        #expect(
            try read([34, from, id, token], 1)
                == .aliasSend(from: Self.pid, to: Self.reference, message: 1, token: token))
        // Here the token stands before the reason.
        #expect(
            try read([13, from, to, token, .atom("bye")])
                == .exit(from: Self.pid, to: Self.other, reason: .atom("bye"), token: token))
        #expect(
            try read([18, from, to, token, .atom("bye")])
                == .exitRequest(from: Self.pid, to: Self.other, reason: .atom("bye"), token: token))
        #expect(
            try read([25, from, to, token], .atom("bye"))
                == .exit(from: Self.pid, to: Self.other, reason: .atom("bye"), token: token))
        #expect(
            try read([27, from, to, token], .atom("bye"))
                == .exitRequest(from: Self.pid, to: Self.other, reason: .atom("bye"), token: token))
        var request = Self.request
        request.token = token
        let (control, payload) = ControlMessage.spawnRequest(request).terms(.standard)
        #expect(control.asTuple?.first == 30)
        #expect(try ControlMessage(control, payload: payload) == .spawnRequest(request))
    }

    @Test func `what no node sends is refused`() {
        func refused(_ control: Term, _ payload: Term? = nil) -> ProtocolViolation? {
            do throws(ProtocolViolation) {
                _ = try ControlMessage(control, payload: payload)
                return nil
            } catch {
                return error
            }
        }
        let from = Term.pid(Self.pid)
        #expect(refused(.tuple([99, from])) == .unknownOperation(99))
        for control: Term in [
            .atom("x"), .tuple([]), .tuple([.atom("x")]), .tuple([1, from]), .tuple([22, from]),
            .tuple([22, from, from]), .tuple([6, from, .atom(""), from]),
            .tuple([35, -1, from, from]),
            .tuple([28, from, from, .reference(Self.reference)]), .tuple([29]), .tuple([31, 1, 2]),
        ] {
            #expect(refused(control) == .invalidControlMessage(control))
        }
        // The arity and the arguments must agree.
        let wrongArity = Term.tuple([
            29, .reference(Self.reference), from, from, .tuple([.atom("m"), .atom("f"), 2]), [],
        ])
        #expect(refused(wrongArity, [1]) == .invalidControlMessage(wrongArity))
    }
}
