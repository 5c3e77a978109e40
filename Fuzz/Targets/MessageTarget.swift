import Transport

@testable import ErlDist
@testable import ExternalTermFormat

/// Frames, distribution headers, the atom cache, fragments and control messages.
///
/// The first byte says which form was agreed on, whether the rest is a stream as it is or frames with one
/// byte of length, and how many bytes come at once: the outcome must not depend on that.
enum MessageTarget {
    /// What a stream comes to.
    private struct Outcome: Equatable {
        var messages: [ControlMessage] = []
        var violation: ProtocolViolation?
    }

    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let options = input.byte()
        let form: MessageDecoder.Form = options & 1 == 0 ? .header : .passThrough
        let stream = options & 2 == 0 ? Array(input.rest) : framed(&input)
        let whole = outcome(FuzzInput(stream).pieces(of: 0), form)
        let pieces = FuzzInput(stream).pieces(of: options >> 2)
        try require(whole == outcome(pieces, form), "the outcome depends on the pieces")
        if let violation = whole.violation {
            try require(!violation.description.isEmpty, "no description")
        }
        for message in whole.messages { try checkEncoding(message) }
    }

    private static func framed(_ input: inout FuzzInput) -> [UInt8] {
        var stream: [UInt8] = []
        while !input.isEmpty {
            let frame = input.bytes(Int(input.byte()))
            stream += [0, 0, 0, UInt8(frame.count)] + frame
        }
        return stream
    }

    private static func outcome(
        _ pieces: [ArraySlice<UInt8>], _ form: MessageDecoder.Form
    ) -> Outcome {
        var frames = FrameDecoder()
        let limits = FragmentAssembly.Limits(sequences: 3, byteCount: 1024)
        var decoder = MessageDecoder(form: form, fragmentLimits: limits)
        var outcome = Outcome()
        do throws(ProtocolViolation) {
            for piece in pieces {
                var position = 0
                while let frame = try frames.next(in: piece.span, at: &position) {
                    let message =
                        switch frame {
                        case .inPlace(let range):
                            try decoded(piece.span.extracting(range), nil, &decoder)
                        case .joined(let bytes): try decoded(bytes.span, bytes, &decoder)
                        }
                    if let message { outcome.messages.append(message) }
                }
            }
        } catch {
            outcome.violation = error
        }
        return outcome
    }

    private static func decoded(
        _ frame: Span<UInt8>, _ owner: [UInt8]?, _ decoder: inout MessageDecoder
    ) throws(ProtocolViolation) -> ControlMessage? {
        if frame.isEmpty { return nil }
        return try decoder.decode(frame, sharing: owner, now: MonotonicTime(nanoseconds: 0))
    }

    private static let agreements: [DistributionFlags] = [
        .standard, .standard.union(.headerAtomCache), .standard.subtracting(.fragments),
    ]

    /// What is decoded is encoded as something that means the same.
    private static func checkEncoding(_ message: ControlMessage) throws {
        for flags in agreements {
            var encoder = MessageEncoder(flags: flags)
            // The second time the atoms are known.
            let (first, second) = (encoder.frames(of: message), encoder.frames(of: message))
            let bytes =
                first.head + first.rest.joined() + second.head + Array(second.rest.joined())
            let again = outcome([bytes[...]], .init(flags))
            try require(
                again == Outcome(messages: [message, message]), "\(message) became \(again)")
        }
    }
}
