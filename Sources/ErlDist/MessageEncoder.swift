internal import ExternalTermFormat
internal import Transport

/// Writes control messages with their payloads as frames, lengths included.
///
/// Messages of more than a fragment's size leave in several frames when both sides agreed on it. Atoms
/// are written out unless both sides agreed on a cache.
struct MessageEncoder {
    private let flags: DistributionFlags
    private let form: MessageDecoder.Form
    private var cache: SentAtomCache?
    private var nextSequence: UInt64 = 1

    /// Bytes of a message in one fragment, as OTP's `ERTS_DIST_FRAGMENT_SIZE`.
    static let fragmentByteCount = 64 << 10

    init(flags: DistributionFlags) {
        self.flags = flags
        self.form = .init(flags)
        if flags.contains(.headerAtomCache) { cache = SentAtomCache() }
    }

    /// A tick: an empty frame.
    static let tick: [UInt8] = [0, 0, 0, 0]

    /// The last message was not sent: the peer does not know the atoms that were in it.
    mutating func messageWasDropped() {
        cache?.removeAll()
    }

    /// The frames of one message, to be sent piece by piece.
    struct Frames {
        /// The beginning; all of it when there are no fragments.
        let head: [UInt8]
        /// Parts of fragments, which share what the message was written into.
        var rest: [ArraySlice<UInt8>] = []

        var byteCount: Int { rest.reduce(head.count) { $0 + $1.count } }
    }

    mutating func frames(of message: ControlMessage) -> Frames {
        let (control, payload) = message.terms(flags)
        if cache != nil { return encodeCached(control, payload) }
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
                    encoder.bytes[contentStart...], controlByteCount: controlEnd - contentStart,
                    references: [0])
            }
        }
        encoder.patchLength(at: length)
        return Frames(head: encoder.bytes)
    }

    private mutating func encodeCached(_ control: Term, _ payload: Term?) -> Frames {
        var encoder = TermEncoder()
        encoder.bytes.reserveCapacity(256)
        encoder.append(control)
        let controlEnd = encoder.bytes.count
        if let payload { encoder.append(payload) }
        guard
            let message = cache?.replaceAtoms(in: encoder.bytes, controlByteCount: controlEnd)
        else { preconditionFailure("There is a cache") }
        if flags.contains(.fragments), message.content.count > Self.fragmentByteCount {
            return fragment(
                message.content[...], controlByteCount: message.controlByteCount,
                references: message.references)
        }
        var frame: [UInt8] = []
        let byteCount = 2 + message.references.count + message.content.count
        frame.reserveCapacity(4 + byteCount)
        frame.append(bigEndian: UInt32(byteCount))
        frame += [MessageDecoder.version, MessageDecoder.headerTag]
        frame += message.references
        frame += message.content
        return Frames(head: frame)
    }

    /// The control message whole in the first fragment, with the references to atoms of all of them, then
    /// pieces of equal size, numbered down to 1.
    private mutating func fragment(
        _ content: ArraySlice<UInt8>, controlByteCount: Int, references: [UInt8]
    ) -> Frames {
        let sequence = nextSequence
        nextSequence &+= 1
        let firstByteCount = max(controlByteCount, Self.fragmentByteCount)
        let rest = content.dropFirst(firstByteCount)
        let pieces = (rest.count + Self.fragmentByteCount - 1) / Self.fragmentByteCount
        var fragment = UInt64(pieces + 1)
        func header(_ tag: UInt8, _ byteCount: Int) -> [UInt8] {
            var header: [UInt8] = []
            header.reserveCapacity(22 + references.count)
            header.append(bigEndian: UInt32(18 + byteCount))
            header += [MessageDecoder.version, tag]
            header.append(bigEndian: sequence)
            header.append(bigEndian: fragment)
            return header
        }
        var frames = Frames(
            head: header(MessageDecoder.firstFragmentTag, references.count + firstByteCount)
                + references)
        frames.rest.reserveCapacity(2 * pieces + 1)
        frames.rest.append(content.prefix(firstByteCount))
        var position = rest.startIndex
        while position < rest.endIndex {
            fragment -= 1
            let end = min(position + Self.fragmentByteCount, rest.endIndex)
            frames.rest.append(header(MessageDecoder.fragmentTag, end - position)[...])
            frames.rest.append(rest[position..<end])
            position = end
        }
        return frames
    }
}
