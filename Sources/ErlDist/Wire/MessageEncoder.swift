internal import ExternalTermFormat
internal import Transport

/// Writes control messages with their payloads as frames, lengths included.
///
/// A message longer than one fragment leaves in several frames when both sides agreed on that.
/// Atoms are always written out: the header contains no references to atoms.
struct MessageEncoder {
    private let flags: DistributionFlags
    private let form: MessageDecoder.Form
    private var nextSequence: UInt64 = 1

    /// Bytes of a message in one fragment, as OTP's `ERTS_DIST_FRAGMENT_SIZE`.
    static let fragmentByteCount = 64 << 10

    init(flags: DistributionFlags) {
        self.flags = flags
        self.form = .init(flags)
    }

    /// The place of a frame's length, and what comes after it.
    private static let passThroughStart: [UInt8] = [0, 0, 0, 0, MessageDecoder.passThroughTag]
    private static let headerStart: [UInt8] = [
        0, 0, 0, 0, Tag.version, MessageDecoder.headerTag, 0,
    ]

    /// A tick: an empty frame.
    static let tick: [UInt8] = [0, 0, 0, 0]

    /// The frames of one message, to be sent piece by piece.
    struct Frames {
        /// The beginning; all of it when there are no fragments.
        let head: [UInt8]
        /// Parts of fragments, which share the memory that the message was written into.
        var rest: [ArraySlice<UInt8>] = []

        var byteCount: Int { rest.reduce(head.count) { $0 + $1.count } }
    }

    mutating func frames(of message: ControlMessage) -> Frames {
        let (control, payload) = message.terms(flags)
        var encoder = TermEncoder()
        encoder.bytes.reserveCapacity(256)
        switch form {
        case .passThrough:
            encoder.bytes.append(contentsOf: Self.passThroughStart)
            encoder.appendVersionByte()
            encoder.append(control)
            if let payload {
                encoder.appendVersionByte()
                encoder.append(payload)
            }
        case .header:
            encoder.bytes.append(contentsOf: Self.headerStart)
            let contentStart = encoder.bytes.count
            encoder.append(control)
            let controlEnd = encoder.bytes.count
            var leftOut: [TermEncoder.LeftOut] = []
            if let payload {
                leftOut = encoder.append(
                    payload,
                    copyingUpTo: flags.contains(.fragments) ? Self.fragmentByteCount : .max)
            }
            let contentCount = encoder.bytes.count - contentStart
            if !leftOut.isEmpty
                || flags.contains(.fragments) && contentCount > Self.fragmentByteCount
            {
                return fragment(
                    Self.pieces(of: encoder.bytes[contentStart...], leftOut),
                    controlByteCount: controlEnd - contentStart)
            }
        }
        encoder.patchLength(at: 0)
        return Frames(head: encoder.bytes)
    }

    /// The encoded bytes, with the binaries that were left out put back in their places.
    private static func pieces(
        of content: ArraySlice<UInt8>, _ leftOut: [TermEncoder.LeftOut]
    ) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var position = content.startIndex
        for part in leftOut {
            pieces.append(content[position..<part.offset])
            pieces.append(part.binary.slice)
            position = part.offset
        }
        pieces.append(content[position...])
        return pieces
    }

    /// The fragments, numbered down to 1. The first one contains the whole control message, and the
    /// count of atom references, which is 0. The others have ``fragmentByteCount`` bytes, except
    /// the last.
    private mutating func fragment(
        _ pieces: [ArraySlice<UInt8>], controlByteCount: Int
    ) -> Frames {
        let sequence = nextSequence
        nextSequence &+= 1
        let byteCount = pieces.reduce(0) { $0 + $1.count }
        let firstByteCount = max(controlByteCount, Self.fragmentByteCount)
        let count =
            1 + (byteCount - firstByteCount + Self.fragmentByteCount - 1)
            / Self.fragmentByteCount
        func header(_ tag: UInt8, _ fragment: Int, _ byteCount: Int) -> [UInt8] {
            var header: [UInt8] = []
            header.reserveCapacity(22)
            header.append(bigEndian: UInt32(18 + byteCount))
            header += [Tag.version, tag]
            header.append(bigEndian: sequence)
            header.append(bigEndian: UInt64(fragment))
            return header
        }
        var frames = Frames(
            head: header(
                MessageDecoder.firstFragmentTag, count, 1 + firstByteCount) + [0])
        frames.rest.reserveCapacity(2 * count + pieces.count)
        /// How many bytes are left of the present fragment, and of the whole message.
        var (left, total) = (firstByteCount, byteCount)
        var fragment = count
        for piece in pieces {
            var rest = piece
            while !rest.isEmpty {
                if left == 0 {
                    fragment -= 1
                    left = min(Self.fragmentByteCount, total)
                    frames.rest.append(header(MessageDecoder.fragmentTag, fragment, left)[...])
                }
                let part = rest.prefix(left)
                frames.rest.append(part)
                rest = rest[part.endIndex...]
                left -= part.count
                total -= part.count
            }
        }
        return frames
    }
}
