internal import ExternalTermFormat

/// Writes and reads the frames of calls over one connection: the spawn request for
/// `erpc:execute_call/4`, and its usual answers. It makes terms only of what differs from call to
/// call.
///
/// A call's number is in its reference, which comes back in each answer. ``MessageEncoder`` and
/// ``MessageDecoder`` handle every frame that does not have exactly the expected bytes.
///
/// Source: SPAWN_REQUEST, SPAWN_REPLY and PAYLOAD_MONITOR_P_EXIT in erl_dist_protocol;
/// `erpc:execute_call/4`.
struct CallFrames {
    enum Answer: Equatable {
        /// SPAWN_REPLY: names the process that runs the function.
        case started(UInt64, PID)
        /// The function has returned.
        case returned(UInt64, Term)
    }

    /// The largest number that a reference can hold. OTP takes 18 bits in the first word
    /// (MAX_REFERENCE in its erl_node_container_utils.h).
    static let maximumNumber: UInt64 = (1 << 50) - 1

    /// The request up to the module, with zeros in place of what differs.
    private let head: [UInt8]
    private let numberOffsets: [Int]
    private let leaderOffset: Int
    /// The bytes that a frame begins with.
    private let frameStart: [UInt8]
    private let isVersioned: Bool
    private let caller: [UInt8]
    /// A reference of ours up to its words, and its last word.
    private let referenceStart: [UInt8]
    private let salt: UInt32

    /// - Parameters:
    ///   - caller: the process that makes the calls.
    ///   - leader: a group leader with the number 0.
    ///   - salt: the last word of the calls' references.
    init(caller: PID, leader: PID, salt: UInt32, form: MessageDecoder.Form) {
        let reference = Self.reference(0, of: caller, salt: salt)
        self.salt = salt
        self.caller = Self.bytes(.pid(caller))
        let referenceBytes = Self.bytes(.reference(reference))
        referenceStart = Array(referenceBytes.dropLast(12))
        switch form {
        case .passThrough:
            isVersioned = true
            frameStart = [MessageDecoder.passThroughTag, Tag.version]
        case .header:
            isVersioned = false
            frameStart = [Tag.version, MessageDecoder.headerTag, 0]
        }
        let control: Term = .tuple([
            .integer(ControlOperation.spawnRequest.rawValue), .reference(reference), .pid(caller),
            .pid(leader), .tuple([.atom("erpc"), .atom("execute_call"), 4]), [.atom("monitor")],
        ])
        var encoder = TermEncoder([0, 0, 0, 0] + frameStart)
        // The tuple's tag and arity, and the operation.
        let referenceOffset = encoder.bytes.count + 4
        encoder.append(control)
        if isVersioned { encoder.appendVersionByte() }
        encoder.bytes += Self.argumentsStart
        encoder.bytes += referenceBytes
        head = encoder.bytes
        numberOffsets = [referenceOffset + referenceBytes.count - 12, head.count - 12]
        // The number is followed by the serial number and the creation.
        leaderOffset = referenceOffset + referenceBytes.count + self.caller.count * 2 - 12
    }

    /// The reference of a call.
    static func reference(_ number: UInt64, of caller: PID, salt: UInt32) -> Reference {
        Reference(
            node: caller.node, creation: caller.creation,
            words: [
                UInt32(truncatingIfNeeded: number & 0x3FFFF),
                UInt32(truncatingIfNeeded: number >> 18), salt,
            ])
    }

    /// The number of a call, taken from its reference; `nil` when the reference does not have this
    /// creation and `salt`.
    static func number(of reference: Reference, creation: UInt32, salt: UInt32) -> UInt64? {
        let words = reference.words
        guard reference.creation == creation, words.count == 3, words[2] == salt else { return nil }
        return UInt64(words[1]) << 18 | UInt64(words[0])
    }

    // MARK: Writing

    /// The frame that starts a call; `nil` when the call is too long for one frame.
    func request(
        _ number: UInt64, leader: UInt32, _ module: Atom, _ function: Atom, _ arguments: [Term]
    ) -> [UInt8]? {
        var encoder = TermEncoder()
        encoder.bytes.reserveCapacity(head.count + 128)
        encoder.bytes += head
        for offset in numberOffsets {
            encoder.patch(UInt32(truncatingIfNeeded: number & 0x3FFFF), at: offset)
            encoder.patch(UInt32(truncatingIfNeeded: number >> 18), at: offset + 4)
        }
        encoder.patch(leader, at: leaderOffset)
        encoder.append(.atom(module))
        encoder.append(.atom(function))
        encoder.append(.list(arguments))
        encoder.bytes.append(Tag.nil)
        guard encoder.bytes.count <= MessageEncoder.fragmentByteCount else { return nil }
        encoder.patchLength(at: 0)
        return encoder.bytes
    }

    // MARK: Reading

    /// The answer in a frame; `nil` when it is not one of the usual ones.
    /// - Parameter owner: the array whose span the frame is, if large binaries may share it.
    func answer(
        in frame: Span<UInt8>, sharing owner: [UInt8]? = nil,
        limits: DecodingLimits = .distribution
    ) -> Answer? {
        var position = 0
        guard skip(frameStart, frame, &position), frame.count - position > 4,
            frame[position] == Tag.smallTuple, frame[position + 2] == Tag.smallInteger
        else { return nil }
        let (arity, operation) = (frame[position + 1], frame[position + 3])
        position += 4
        switch (Int(operation), arity) {
        case (ControlOperation.spawnReply.rawValue, 5):
            return started(frame, position, limits)
        case (ControlOperation.payloadDown.rawValue, 4):
            return returned(frame, position, limits, owner)
        default: return nil
        }
    }

    /// `{31, Reference, To, Flags, Pid}`
    private func started(
        _ frame: Span<UInt8>, _ start: Int, _ limits: DecodingLimits
    ) -> Answer? {
        var position = start
        guard let number = number(frame, &position),
            skip(caller, frame, &position), frame.count - position > 2,
            // The process must be monitored, as was asked for, and not linked.
            frame[position] == Tag.smallInteger, frame[position + 1] == 2,
            case .pid(let pid)? = lastTerm(frame, position + 2, limits, nil)
        else { return nil }
        return .started(number, pid)
    }

    /// `{28, Pid, To, Reference}`, and the reason `{Reference, return, Value}`
    private func returned(
        _ frame: Span<UInt8>, _ start: Int, _ limits: DecodingLimits, _ owner: [UInt8]?
    ) -> Answer? {
        var position = start
        // Only the length of the node's name is needed: the pid's tag and the atom's tag come
        // before it.
        guard frame.count - position > 3, frame[position] == Tag.newPID,
            frame[position + 1] == Tag.smallAtomUTF8
        else { return nil }
        position += 3 + Int(frame[position + 2]) + 12
        guard skip(caller, frame, &position), let number = number(frame, &position)
        else { return nil }
        if isVersioned {
            guard skip([Tag.version], frame, &position) else { return nil }
        }
        guard skip(Self.resultStart, frame, &position),
            let second = self.number(frame, &position), second == number,
            skip(Self.resultReturn, frame, &position),
            let value = lastTerm(frame, position, limits, owner)
        else { return nil }
        return .returned(number, value)
    }

    private func number(_ frame: Span<UInt8>, _ position: inout Int) -> UInt64? {
        guard skip(referenceStart, frame, &position),
            let low = frame.bigEndian(at: position, as: UInt32.self),
            let high = frame.bigEndian(at: position + 4, as: UInt32.self),
            frame.bigEndian(at: position + 8, as: UInt32.self) == salt
        else { return nil }
        position += 12
        return UInt64(high) << 18 | UInt64(low)
    }

    private func skip(
        _ expected: [UInt8], _ frame: Span<UInt8>, _ position: inout Int
    ) -> Bool {
        guard frame.count - position >= expected.count else { return false }
        for index in expected.indices where frame[position + index] != expected[index] {
            return false
        }
        position += expected.count
        return true
    }

    /// The term that the frame ends with.
    private func lastTerm(
        _ frame: Span<UInt8>, _ position: Int, _ limits: DecodingLimits, _ owner: [UInt8]?
    ) -> Term? {
        guard position < frame.count else { return nil }
        var decoder = TermDecoder(at: position, limits: limits, sharing: owner)
        // The message decoder says what is wrong with it.
        guard let term = try? decoder.term(frame), decoder.offset == frame.count else { return nil }
        return term
    }

    private static func bytes(_ term: Term) -> [UInt8] {
        var encoder = TermEncoder()
        encoder.append(term)
        return encoder.bytes
    }

    // MARK: Pieces of the external term format

    /// A list of four, and its end.
    private static let argumentsStart: [UInt8] = [Tag.list, 0, 0, 0, 4]
    private static let resultStart: [UInt8] = [Tag.smallTuple, 3]
    private static let resultReturn: [UInt8] = [Tag.smallAtomUTF8, 6] + Array("return".utf8)
}
