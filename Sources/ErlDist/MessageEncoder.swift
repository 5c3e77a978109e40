internal import ExternalTermFormat
internal import Transport

/// Writes control messages with their payloads as frames, lengths included.
///
/// Messages of more than a fragment's size leave in several frames when both sides agreed on it. Atoms
/// are written out: no cache references are made.
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

    /// A tick: an empty frame.
    static let tick: [UInt8] = [0, 0, 0, 0]

    /// The frames of a message, in one array, to be sent in one piece.
    mutating func encode(_ message: ControlMessage) -> [UInt8] {
        let (control, payload) = message.terms(flags)
        var encoder = TermEncoder()
        encoder.bytes.reserveCapacity(256)
        let length = encoder.appendLengthPlaceholder()
        switch form {
        case .passThrough:
            encoder.bytes.append(MessageDecoder.passThroughTag)
            encoder.appendVersionByte()
            encoder.append(control)
            if let payload {
                encoder.appendVersionByte()
                encoder.append(payload)
            }
        case .header:
            encoder.bytes += [MessageDecoder.version, MessageDecoder.headerTag, 0]
            let contentStart = encoder.bytes.count
            encoder.append(control)
            let controlEnd = encoder.bytes.count
            if let payload { encoder.append(payload) }
            if flags.contains(.fragments),
                encoder.bytes.count - contentStart > Self.fragmentByteCount
            {
                return fragment(
                    encoder.bytes[contentStart...], controlByteCount: controlEnd - contentStart)
            }
        }
        encoder.patchLength(at: length)
        return encoder.bytes
    }

    /// The control message whole in the first fragment, then pieces of equal size, numbered down to 1.
    private mutating func fragment(
        _ content: ArraySlice<UInt8>, controlByteCount: Int
    ) -> [UInt8] {
        let sequence = nextSequence
        nextSequence &+= 1
        let firstByteCount = max(controlByteCount, Self.fragmentByteCount)
        let rest = content.dropFirst(firstByteCount)
        let pieces = (rest.count + Self.fragmentByteCount - 1) / Self.fragmentByteCount
        var fragment = UInt64(pieces + 1)
        var frames: [UInt8] = []
        frames.reserveCapacity(content.count + (pieces + 1) * 23)
        func appendFrame(_ tag: UInt8, _ piece: ArraySlice<UInt8>, hasAtoms: Bool) {
            let headerByteCount = hasAtoms ? 19 : 18
            frames.append(bigEndian: UInt32(headerByteCount + piece.count))
            frames += [MessageDecoder.version, tag]
            frames.append(bigEndian: sequence)
            frames.append(bigEndian: fragment)
            if hasAtoms { frames.append(0) }
            frames += piece
        }
        appendFrame(
            MessageDecoder.firstFragmentTag, content.prefix(firstByteCount), hasAtoms: true)
        var position = rest.startIndex
        while position < rest.endIndex {
            fragment -= 1
            let end = min(position + Self.fragmentByteCount, rest.endIndex)
            appendFrame(MessageDecoder.fragmentTag, rest[position..<end], hasAtoms: false)
            position = end
        }
        return frames
    }
}
