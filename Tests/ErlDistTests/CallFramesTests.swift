import ExternalTermFormat
import Testing

@testable import ErlDist

/// The frames of calls against those that the general encoder and decoder make of the same.
@Suite struct CallFramesTests {
    private static let caller = PID(node: "a-longer-name@host", id: 0, serial: 0, creation: 3)
    private static let process = PID(node: "b@h", id: 4, serial: 9, creation: 5)
    private static let salt: UInt32 = 0xDEAD_BEEF
    /// In both words of a reference.
    private static let number: UInt64 = 0x1_2345_6789
    private static let reference = CallFrames.reference(number, of: caller, salt: salt)
    private static let allFlags: [DistributionFlags] = [
        .standard, .standard.subtracting(.fragments),
    ]

    private static func leader(_ id: UInt32) -> PID {
        PID(node: caller.node, id: id, serial: GroupLeader.serial, creation: 3)
    }

    private func frames(_ flags: DistributionFlags) -> CallFrames {
        CallFrames(
            caller: Self.caller, leader: Self.leader(0), salt: Self.salt, form: .init(flags))
    }

    private func encoded(_ message: ControlMessage, _ flags: DistributionFlags) -> [UInt8] {
        var encoder = MessageEncoder(flags: flags)
        return Array(encoder.encode(message))
    }

    private func answer(_ message: ControlMessage, _ flags: DistributionFlags) -> CallFrames.Answer?
    {
        answer(encoded(message, flags), flags)
    }

    private func answer(_ bytes: [UInt8], _ flags: DistributionFlags) -> CallFrames.Answer? {
        frames(flags).answer(in: bytes.span.extracting(4...))
    }

    private func down(_ reason: Term, _ reference: Reference = reference) -> ControlMessage {
        .down(from: .pid(Self.process), to: Self.caller, reference: reference, reason: reason)
    }

    private func reply(to: PID = caller, isMonitored: Bool = true) -> ControlMessage {
        .spawnReply(
            SpawnReply(
                id: Self.reference, to: to, isLinked: false, isMonitored: isMonitored,
                result: .started(Self.process), token: nil))
    }

    @Test(arguments: allFlags)
    func `a request has the bytes of the spawn request that it is`(flags: DistributionFlags) {
        let request = SpawnRequest(
            id: Self.reference, from: Self.caller, groupLeader: Self.leader(77), module: "erpc",
            function: "execute_call",
            arguments: [
                .reference(Self.reference), .atom("lists"), .atom("reverse"), [[1, .atom("b")]],
            ], options: [.atom("monitor")], token: nil)
        #expect(
            frames(flags).request(Self.number, leader: 77, "lists", "reverse", [[1, .atom("b")]])
                == encoded(.spawnRequest(request), flags))
    }

    @Test func `a request that is too long for one frame is not written`() {
        let long = Term.binary([UInt8](repeating: 1, count: 64 << 10))
        #expect(frames(.standard).request(1, leader: 0, "m", "f", [long]) == nil)
    }

    @Test(arguments: allFlags)
    func `the process that was started and what the function returned are read`(
        flags: DistributionFlags
    ) {
        #expect(answer(reply(), flags) == .started(Self.number, Self.process))
        let value: Term = .tuple([.atom("ok"), [1, 2], .binary("text")])
        #expect(
            answer(down(.tuple([.reference(Self.reference), .atom("return"), value])), flags)
                == .returned(Self.number, value))
    }

    @Test func `whatever is not as usual is left to the message decoder`() {
        let reference = Term.reference(Self.reference)
        var others = [
            down(.tuple([reference, .atom("throw"), 1])),
            down(.tuple([reference, .atom("error"), .atom("badarg"), []])),
            down(.atom("killed")), reply(isMonitored: false), reply(to: Self.process),
        ]
        // Another node's, another life's, and a reference that the process made up.
        for other in [
            CallFrames.reference(1, of: Self.process, salt: Self.salt),
            CallFrames.reference(1, of: Self.caller, salt: 1),
        ] {
            others.append(down(.tuple([.reference(other), .atom("return"), 1]), other))
            others.append(down(.tuple([.reference(other), .atom("return"), 1])))
        }
        others.append(
            .down(
                from: .name("x"), to: Self.caller, reference: Self.reference,
                reason: .tuple([reference, .atom("return"), 1])))
        for message in others { #expect(answer(message, .standard) == nil) }
    }

    @Test(arguments: allFlags)
    func `a cut answer is never taken for a whole one`(flags: DistributionFlags) {
        for message in [
            reply(), down(.tuple([.reference(Self.reference), .atom("return"), [1, 2, 300]])),
        ] {
            let bytes = encoded(message, flags)
            for end in 4..<bytes.count {
                #expect(answer(Array(bytes[..<end]), flags) == nil)
            }
            #expect(answer(bytes + [0], flags) == nil)
        }
    }

    @Test func `a reference gives back its number`() {
        for number in [1, 0x3FFFF, 0x40000, CallFrames.maximumNumber] {
            let reference = CallFrames.reference(number, of: Self.caller, salt: Self.salt)
            #expect(reference.words[0] < 1 << 18)
            #expect(CallFrames.number(of: reference, creation: 3, salt: Self.salt) == number)
            #expect(CallFrames.number(of: reference, creation: 4, salt: Self.salt) == nil)
            #expect(CallFrames.number(of: reference, creation: 3, salt: 1) == nil)
        }
    }
}
