internal import ExternalTermFormat

/// The atoms that the peer has told us once; later it refers to them by index.
///
/// Source: "Distribution Header", erl_ext_dist.
struct AtomCache {
    /// 8 segments of 256 atoms.
    private var atoms: [Atom?] = []
    /// How many bytes all their names have.
    private(set) var byteCount = 0

    /// Reads the atom references of a header from `position` on: the count, the flags, and an index
    /// for each reference. A new entry's text follows its index.
    /// - Returns: the atoms that the references 0, 1, … of this message mean.
    mutating func readReferences(
        _ bytes: Span<UInt8>, at position: inout Int
    ) throws(ProtocolViolation) -> [Atom] {
        let count = Int(try Self.byte(bytes, &position))
        guard count > 0 else { return [] }
        // There is one nibble for each reference and one for all of them, in whole bytes, the lower
        // nibble first.
        let flagsAt = position
        position += count / 2 + 1
        guard position <= bytes.count else { throw .truncatedHeader }
        func nibble(_ index: Int) -> UInt8 {
            let byte = bytes[flagsAt + index / 2]
            return index.isMultiple(of: 2) ? byte & 0xF : byte >> 4
        }
        let hasLongAtoms = nibble(count) & 1 == 1
        if atoms.isEmpty { atoms = Array(repeating: nil, count: 8 * 256) }
        var references: [Atom] = []
        for index in 0..<count {
            let flags = nibble(index)
            let slot = Int(flags & 7) << 8 | Int(try Self.byte(bytes, &position))
            if flags & 8 != 0 {
                var length = Int(try Self.byte(bytes, &position))
                if hasLongAtoms { length = length << 8 | Int(try Self.byte(bytes, &position)) }
                guard bytes.count - position >= length else { throw .truncatedHeader }
                let name = bytes.extracting(position..<(position + length))
                guard
                    let text = name.withUnsafeBufferPointer({
                        String(validating: $0, as: UTF8.self)
                    }), text.unicodeScalars.count <= Atom.maximumLength
                else { throw .invalidAtomCache }
                position += length
                byteCount += length - (atoms[slot]?.name.utf8.count ?? 0)
                atoms[slot] = Atom(shortEnough: text)
            }
            guard let atom = atoms[slot] else { throw .invalidAtomCache }
            references.append(atom)
        }
        return references
    }

    private static func byte(
        _ bytes: Span<UInt8>, _ position: inout Int
    ) throws(ProtocolViolation) -> UInt8 {
        guard position < bytes.count else { throw .truncatedHeader }
        defer { position += 1 }
        return bytes[position]
    }
}
