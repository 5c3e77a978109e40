import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import ErlDist

/// Terms that the tables share.
enum Terms {
    static let pid = PID(node: "a@h", id: 1, serial: 2, creation: 3)
    static let other = PID(node: "b@h", id: 4, serial: 0, creation: 5)
    static let reference = Reference(node: "a@h", creation: 3, words: [6, 7, 8])
    static let now = MonotonicTime(nanoseconds: 0)

    /// `<a@h.1.2>` and `<b@h.4.0>` as they are encoded.
    static let pidBytes: [UInt8] =
        [88, 119, 3] + Array("a@h".utf8) + [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]
    static let otherBytes: [UInt8] =
        [88, 119, 3] + Array("b@h".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5]
}

extension FrameDecoder {
    /// The frames that are whole after `bytes`.
    mutating func frames(in bytes: [UInt8]) throws(ProtocolViolation) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var position = 0
        while let frame = try next(in: bytes.span, at: &position) {
            switch frame {
            case .inPlace(let range): frames.append(Array(bytes[range]))
            case .joined(let joined): frames.append(joined)
            }
        }
        #expect(position == bytes.count)
        return frames
    }
}

extension MessageEncoder {
    /// The frames of a message in one piece.
    mutating func encode(_ message: ControlMessage) -> [UInt8] {
        let frames = frames(of: message)
        let bytes = frames.head + frames.rest.joined()
        #expect(bytes.count == frames.byteCount)
        return bytes
    }
}

extension FrameDecoder {
    /// What fragments hold, joined.
    static func parts(of frames: MessageEncoder.Frames) throws(ProtocolViolation) -> [UInt8] {
        var decoder = FrameDecoder()
        return try decoder.frames(in: frames.head + frames.rest.joined()).flatMap { frame in
            frame.dropFirst(frame[1] == 69 ? 19 : 18)
        }
    }
}

extension Term {
    /// Whether one of the terms in a tuple or list, at any depth, is that binary.
    fileprivate func contains(_ bytes: [UInt8]) -> Bool {
        switch self {
        case .binary(let binary): Array(binary) == bytes
        case .tuple(let elements): elements.contains { $0.contains(bytes) }
        case .list(let elements): elements.contains { $0.contains(bytes) }
        default: false
        }
    }
}

extension MessageDecoder {
    mutating func decode(
        _ frame: [UInt8], now: MonotonicTime
    ) throws(ProtocolViolation) -> ControlMessage? {
        try decode(frame.span, sharing: frame, now: now)
    }
}

@Suite struct FrameDecoderTests {
    @Test func `every split of the stream gives the same frames`() throws {
        let stream: [UInt8] = [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 3, 1, 2, 3]
        for first in 0...stream.count {
            for second in first...stream.count {
                var decoder = FrameDecoder()
                var found: [[UInt8]] = []
                for part in [stream[..<first], stream[first..<second], stream[second...]] {
                    found += try decoder.frames(in: Array(part))
                }
                #expect(found == [[7, 8], [], [9], [1, 2, 3]])
            }
        }
    }

    @Test func `a frame that is too long is refused before its bytes are there`() {
        var decoder = FrameDecoder(maximumByteCount: 16)
        #expect(throws: ProtocolViolation.frameTooLong(byteCount: 17)) {
            try decoder.frames(in: [0, 0, 0, 17])
        }
        var huge = FrameDecoder()
        #expect(throws: ProtocolViolation.frameTooLong(byteCount: 0xFFFF_FFFF)) {
            try huge.frames(in: [255, 255, 255, 255])
        }
    }
}

@Suite struct MessageCodecTests {
    private let message = ControlMessage.send(
        from: Terms.pid, to: Terms.other, message: .atom(.ok), token: nil)

    private func decode(
        _ decoder: inout MessageDecoder, _ stream: [UInt8]
    ) throws -> [ControlMessage] {
        var frames = FrameDecoder()
        return try frames.frames(in: stream).compactMap { try decoder.decode($0, now: Terms.now) }
    }

    @Test func `without fragments a frame is passed through, each term with its version`() throws {
        let flags = DistributionFlags.standard.subtracting(.fragments)
        var encoder = MessageEncoder(flags: flags)
        let bytes = encoder.encode(message)
        let content: [UInt8] =
            [112, 131, 104, 3, 97, 22] + Terms.pidBytes + Terms.otherBytes + [131, 119, 2]
            + Array("ok".utf8)
        #expect(bytes == [0, 0, 0, UInt8(content.count)] + content)
        var decoder = MessageDecoder(form: .init(flags))
        #expect(try decode(&decoder, bytes) == [message])
    }

    @Test func `with fragments a frame has a header, and its terms no version`() throws {
        var encoder = MessageEncoder(flags: .standard)
        let bytes = encoder.encode(message)
        let content: [UInt8] =
            [131, 68, 0, 104, 3, 97, 22] + Terms.pidBytes + Terms.otherBytes + [119, 2]
            + Array("ok".utf8)
        #expect(bytes == [0, 0, 0, UInt8(content.count)] + content)
        var decoder = MessageDecoder(form: .init(.standard))
        #expect(try decode(&decoder, bytes) == [message])
    }

    @Test func `the other form closes the connection`() throws {
        var encoder = MessageEncoder(flags: .standard)
        let withHeader = encoder.encode(message)
        var passThrough = MessageDecoder(form: .passThrough)
        #expect(throws: ProtocolViolation.unexpectedFrame(tag: 131)) {
            try decode(&passThrough, withHeader)
        }
        var header = MessageDecoder(form: .header)
        #expect(throws: ProtocolViolation.unexpectedFrame(tag: 112)) {
            try decode(&header, [0, 0, 0, 2, 112, 131])
        }
        #expect(throws: ProtocolViolation.unexpectedFrame(tag: 71)) {
            try decode(&header, [0, 0, 0, 2, 131, 71])
        }
    }

    @Test func `a large message leaves in pieces of 64 KiB, numbered down to 1`() throws {
        var encoder = MessageEncoder(flags: .standard)
        let large = ControlMessage.send(
            from: Terms.pid, to: Terms.other,
            message: .binary([UInt8](repeating: 7, count: 150_000)), token: nil)
        let bytes = encoder.encode(large)
        var frames = FrameDecoder()
        var heads: [[UInt8]] = []
        var lengths: [Int] = []
        for frame in try frames.frames(in: bytes) {
            let isFirst = frame[1] == 69
            heads.append(Array(frame.prefix(isFirst ? 19 : 18)))
            lengths.append(frame.count - (isFirst ? 19 : 18))
        }
        let sequence: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1]
        func fragment(_ number: UInt8) -> [UInt8] { [0, 0, 0, 0, 0, 0, 0, number] }
        #expect(
            heads == [
                [131, 69] + sequence + fragment(3) + [0], [131, 70] + sequence + fragment(2),
                [131, 70] + sequence + fragment(1),
            ])
        #expect(lengths.prefix(2) == [65536, 65536])
        var decoder = MessageDecoder(form: .header)
        #expect(try decode(&decoder, bytes) == [large])
        #expect(decoder.heldByteCount == 0)
        // The next large message is another sequence.
        #expect(encoder.encode(large)[13] == 2)
    }

    @Test func `large binaries leave from where they are, at any place in a message`() throws {
        let large = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let fitting = [UInt8](repeating: 3, count: 65_536)
        for content: Term in [
            .binary(large), .tuple([.binary(large), 1, .binary(large), .binary(fitting)]),
            [.binary(fitting), .binary("x"), .binary(large)],
            .binary([UInt8](repeating: 1, count: 65_537)),
            .list((0..<3).map { .tuple([.integer($0), .binary(large)]) }),
        ] {
            let message = ControlMessage.send(
                from: Terms.pid, to: Terms.other, message: content, token: nil)
            var encoder = MessageEncoder(flags: .standard)
            let frames = encoder.frames(of: message)
            let shared = frames.rest.contains { part in
                part.withUnsafeBufferPointer { part in
                    large.withUnsafeBufferPointer { large in
                        guard let start = part.baseAddress, let first = large.baseAddress else {
                            return false
                        }
                        return start >= first && start < first + large.count
                    }
                }
            }
            #expect(shared == large.withUnsafeBufferPointer { _ in content.contains(large) })
            var decoder = MessageDecoder(form: .header)
            #expect(try decode(&decoder, encoder.encode(message)) == [message])
            // The same as in one piece.
            var whole = TermEncoder()
            whole.append(content)
            let pieces = try FrameDecoder.parts(of: frames)
            #expect(Array(pieces.suffix(whole.bytes.count)) == whole.bytes)
        }
    }

    @Test func `fragments of several messages may be mixed`() throws {
        var encoder = MessageEncoder(flags: .standard)
        func pieces(_ byte: UInt8) throws -> (ControlMessage, [[UInt8]]) {
            let message = ControlMessage.send(
                from: Terms.pid, to: Terms.other,
                message: .binary([UInt8](repeating: byte, count: 140_000)), token: nil)
            var frames = FrameDecoder()
            return (message, try frames.frames(in: encoder.encode(message)))
        }
        let (first, a) = try pieces(1)
        let (second, b) = try pieces(2)
        var decoder = MessageDecoder(form: .header)
        var messages: [ControlMessage] = []
        for piece in [a[0], b[0], b[1], a[1], a[2], b[2]] {
            if let message = try decoder.decode(piece, now: Terms.now) {
                messages.append(message)
            }
        }
        #expect(messages == [first, second])
    }

    private func fragment(_ tag: UInt8, _ sequence: UInt8, _ number: UInt8, _ rest: [UInt8])
        -> [UInt8]
    {
        [131, tag] + [0, 0, 0, 0, 0, 0, 0, sequence] + [0, 0, 0, 0, 0, 0, 0, number]
            + (tag == 69 ? [0] : []) + rest
    }

    @Test func `fragments out of order close the connection`() throws {
        let first = fragment(69, 1, 3, [104])
        func after(_ wrong: [UInt8]) throws {
            var decoder = MessageDecoder(form: .header)
            _ = try decoder.decode(first, now: Terms.now)
            _ = try decoder.decode(wrong, now: Terms.now)
        }
        #expect(throws: ProtocolViolation.unexpectedFragment(sequence: 1, fragment: 1)) {
            try after(fragment(70, 1, 1, []))
        }
        #expect(throws: ProtocolViolation.unexpectedFragment(sequence: 2, fragment: 2)) {
            try after(fragment(70, 2, 2, []))
        }
        #expect(throws: ProtocolViolation.unexpectedFragment(sequence: 1, fragment: 3)) {
            try after(first)
        }
        #expect(throws: ProtocolViolation.unexpectedFragment(sequence: 9, fragment: 0)) {
            try after(fragment(69, 9, 0, []))
        }
    }

    @Test func `unfinished fragments keep their atoms, which count as well`() throws {
        let limits = FragmentAssembly.Limits(sequences: 100, byteCount: 10_000)
        var decoder = MessageDecoder(form: .header, fragmentLimits: limits)
        // An atom of 200 bytes, then 200 references to it.
        let atom = [0, 200] + [UInt8](repeating: 97, count: 200)
        let define = [131, 68, 1, 8] + atom + [104, 1, 97, 5]
        #expect(try decoder.decode(define, now: Terms.now) == .nodeLink)
        let references = [200] + [UInt8](repeating: 0, count: 101 + 200)
        let first = [131, 69] + [UInt8](repeating: 0, count: 15) + [2] + references + [104]
        #expect(throws: ProtocolViolation.fragmentsTooLong(byteCount: 200 * 200 + 1)) {
            try decoder.decode(first, now: Terms.now)
        }
    }

    @Test func `unfinished fragments are limited in number, bytes and time`() throws {
        var limits = FragmentAssembly.Limits()
        limits.sequences = 2
        limits.byteCount = 10
        limits.deadline = .seconds(5)
        func decoder() -> MessageDecoder { MessageDecoder(form: .header, fragmentLimits: limits) }
        var many = decoder()
        for sequence: UInt8 in 1...2 {
            let frame = fragment(69, sequence, 2, [1])
            _ = try many.decode(frame, now: Terms.now)
        }
        let third = fragment(69, 3, 2, [1])
        #expect(throws: ProtocolViolation.tooManyFragmentSequences(maximum: 2)) {
            try many.decode(third, now: Terms.now)
        }
        var long = decoder()
        let piece = fragment(69, 1, 2, [UInt8](repeating: 1, count: 11))
        #expect(throws: ProtocolViolation.fragmentsTooLong(byteCount: 11)) {
            try long.decode(piece, now: Terms.now)
        }
        limits.messageByteCount = 5
        var longMessage = decoder()
        _ = try longMessage.decode(fragment(69, 1, 3, [1, 1, 1, 1]), now: Terms.now)
        _ = try longMessage.decode(fragment(69, 2, 3, [1, 1, 1, 1]), now: Terms.now)
        #expect(throws: ProtocolViolation.messageTooLong(byteCount: 6)) {
            try longMessage.decode(fragment(70, 1, 2, [1, 1]), now: Terms.now)
        }
        var slow = decoder()
        let first = fragment(69, 1, 3, [1])
        _ = try slow.decode(first, now: Terms.now)
        let next = fragment(70, 1, 2, [1])
        _ = try slow.decode(next, now: Terms.now + .seconds(4))
        try slow.check(now: Terms.now + .seconds(8))
        #expect(throws: ProtocolViolation.unfinishedFragments(sequence: 1)) {
            try slow.check(now: Terms.now + .seconds(9))
        }
    }

    @Test func `atoms of the cache are remembered from frame to frame`() throws {
        var decoder = MessageDecoder(form: .header)
        // {2, '', <b@h.4.0>} with payload {x, y}: three new atoms in slots 1, 2 of segment 0 and 5
        // of segment 3; nibbles: new|0, new|0, new|3, and 0 for short atoms.
        let first: [UInt8] =
            [131, 68, 3, 0x88, 0x0B, 1, 0] + [2, 1, 120] + [5, 3] + Array("b@h".utf8)
            + [104, 3, 97, 2, 82, 0]
            + [88, 82, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5]
            + [104, 2, 82, 1, 119, 1, 121]
        let expected = ControlMessage.send(
            from: nil, to: Terms.other, message: .tuple([.atom("x"), .atom("y")]), token: nil)
        #expect(try decoder.decode(first, now: Terms.now) == expected)
        // The same again: two old entries, in another order.
        let second: [UInt8] =
            [131, 68, 2, 0x03, 0x00, 5, 2] + [104, 3, 97, 2, 119, 0]
            + [88, 82, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5]
            + [104, 2, 82, 1, 119, 1, 121]
        #expect(try decoder.decode(second, now: Terms.now) == expected)
        // An entry that nobody has defined.
        let third: [UInt8] = [131, 68, 1, 0x07, 9, 106]
        #expect(throws: ProtocolViolation.invalidAtomCache) {
            try decoder.decode(third, now: Terms.now)
        }
    }

    @Test func `long atoms have lengths of two bytes`() throws {
        var decoder = MessageDecoder(form: .header)
        let name = String(repeating: "ü", count: 200)
        let frame: [UInt8] =
            [131, 68, 1, 0x18, 0, 1, 0x90] + Array(name.utf8) + [104, 3, 97, 2, 119, 0]
            + Terms.otherBytes + [82, 0]
        #expect(
            try decoder.decode(frame, now: Terms.now)
                == .send(
                    from: nil, to: Terms.other, message: .atom(Atom(shortEnough: name)), token: nil)
        )
    }

    @Test func `a cut frame closes the connection`() throws {
        let frame: [UInt8] = [131, 68, 0, 104, 3, 97, 1] + Terms.pidBytes + Terms.otherBytes
        var decoder = MessageDecoder(form: .header)
        #expect(
            try decoder.decode(frame, now: Terms.now) == .link(from: Terms.pid, to: Terms.other))
        for length in 2..<frame.count {
            var decoder = MessageDecoder(form: .header)
            #expect(throws: ProtocolViolation.self) {
                try decoder.decode(Array(frame.prefix(length)), now: Terms.now)
            }
        }
    }

    @Test func `bytes after the payload close the connection`() throws {
        var decoder = MessageDecoder(form: .header)
        let frame: [UInt8] =
            [131, 68, 0, 104, 3, 97, 22] + Terms.pidBytes + Terms.otherBytes + [106, 106]
        #expect(throws: ProtocolViolation.invalidTerm(.trailingBytes(count: 1))) {
            try decoder.decode(frame, now: Terms.now)
        }
    }

    @Test func `mutated frames never trap`() throws {
        var random = SeededRandom(seed: 2)
        var encoder = MessageEncoder(flags: .standard)
        let seeds: [[UInt8]] =
            ControlMessageTests.all.map { Array(encoder.encode($0).dropFirst(4)) } + [
                fragment(69, 1, 2, [104, 3, 97, 1] + Terms.pidBytes), fragment(70, 1, 1, [106]),
                [131, 68, 3, 0x88, 0x0B, 1, 0, 2, 1, 120, 5, 3, 98, 64, 104, 106],
            ]
        var decoder = MessageDecoder(form: .header)
        var passThrough = MessageDecoder(form: .passThrough)
        for _ in 0..<50_000 {
            let frame = random.mutate(seeds[Int(random.next() % UInt64(seeds.count))])
            guard !frame.isEmpty else { continue }
            _ = try? decoder.decode(frame, now: Terms.now)
            let other = [112, 131] + frame
            _ = try? passThrough.decode(other, now: Terms.now)
        }
    }
}
