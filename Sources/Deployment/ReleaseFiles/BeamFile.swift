internal import ExternalTermFormat
internal import Supervisor

/// The chunks of a compiled module's file that deployex reads. The file may come from anybody.
///
/// A beam file is an IFF form: `"FOR1"`, a length, `"BEAM"`, then chunks of a name, a length and
/// that many bytes, padded to a multiple of four. It may be compressed as a whole by gzip.
///
/// Source: `beam_lib`, STDLIB; `beam_asm`, Compiler.
struct BeamFile: Sendable {
    /// Far more than any module needs.
    static let maximumByteCount = 64 << 20

    /// A function of a module: its name and its number of arguments.
    struct Function: Hashable, Sendable, CustomStringConvertible {
        var name: String
        var arity: Int

        var description: String { "\(name)/\(arity)" }
    }

    private static let names = Set(BeamCode.names + ["Attr", "LocT"])

    private let chunks: [String: [UInt8]]

    subscript(_ name: String) -> [UInt8]? { chunks[name] }

    /// - Throws: `FileSystemError.unusable` for bytes that are no beam file.
    init(_ file: [UInt8]) throws(FileSystemError) {
        let bytes = file.starts(with: [0x1F, 0x8B]) ? try Self.inflate(file) : file
        guard bytes.count >= 12, bytes[0..<4].elementsEqual("FOR1".utf8),
            bytes[8..<12].elementsEqual("BEAM".utf8)
        else { throw .unusable("it is no beam file") }
        var found: [String: [UInt8]] = [:]
        var rest = bytes[12...]
        while rest.count >= 8 {
            let name = String(decoding: rest.prefix(4), as: UTF8.self)
            let count = rest.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(8)
            guard count <= rest.count else { throw .unusable("its chunk \(name) is cut off") }
            if Self.names.contains(name), found[name] == nil {
                found[name] = Array(rest.prefix(count))
            }
            rest = rest.dropFirst((count + 3) & ~3)
        }
        guard found["Code"] != nil else { throw .unusable("it has no code") }
        chunks = found
    }

    private static func inflate(_ file: [UInt8]) throws(FileSystemError) -> [UInt8] {
        do throws(GzipError) {
            var inflater = try GzipInflater(limit: Int64(maximumByteCount))
            var (input, output) = (file[...], [UInt8](repeating: 0, count: 256 << 10))
            var bytes: [UInt8] = []
            while case let count = try inflater.inflate(&input, into: &output), count > 0 {
                bytes += output.prefix(count)
            }
            try inflater.finish()
            return bytes
        } catch {
            throw .unusable(error.text)
        }
    }
}

// MARK: - What the chunks say

extension BeamFile {
    /// The attributes of a module; none when they were stripped.
    func attributes() throws(FileSystemError) -> [(name: String, values: [Term])] {
        guard let bytes = chunks["Attr"] else { return [] }
        let attributes: Term
        do throws(TermError) {
            attributes = try Term(decoding: bytes)
        } catch {
            throw .unusable("its attributes: \(error)")
        }
        var found: [(name: String, values: [Term])] = []
        for case .tuple(let pair) in attributes.asList ?? [] where pair.count == 2 {
            guard let name = pair[0].asAtom?.name, let values = pair[1].asList else { continue }
            found.append((name, Array(values)))
        }
        return found
    }

    /// The behaviours that a module says it has; none for a module without its attributes.
    func behaviours() throws(FileSystemError) -> Set<String> {
        var found: Set<String> = []
        for (name, values) in try attributes() where name == "behaviour" || name == "behavior" {
            found.formUnion(values.compactMap { $0.asAtom?.name })
        }
        return found
    }

    /// The module's atoms, its name first.
    ///
    /// A count, then each with its length in a byte. Since OTP 28 the count may be negative: then a
    /// length is written as a number in code.
    func atoms() throws(FileSystemError) -> [String] {
        guard let bytes = chunks["AtU8"] ?? chunks["Atom"] else {
            throw .unusable("it has no atoms")
        }
        var reader = BeamReader(bytes[...])
        let count = Int(Int32(truncatingIfNeeded: try reader.number()))
        var atoms: [String] = []
        for _ in 0..<abs(count) {
            let length = count < 0 ? try reader.compactNumber() : try reader.byte()
            atoms.append(String(decoding: try reader.bytes(length), as: UTF8.self))
        }
        return atoms
    }

    /// The functions of other modules that it calls.
    func imports() throws(FileSystemError) -> [(module: String, function: Function)] {
        let atoms = try atoms()
        return try triples("ImpT").map { triple throws(FileSystemError) in
            let (module, name) = (
                try Self.atom(triple.0, of: atoms), try Self.atom(triple.1, of: atoms)
            )
            return (module, Function(name: name, arity: triple.2))
        }
    }

    /// The functions that others may call.
    func exports() throws(FileSystemError) -> Set<Function> {
        let atoms = try atoms()
        var found: Set<Function> = []
        for triple in try triples("ExpT") {
            found.insert(Function(name: try Self.atom(triple.0, of: atoms), arity: triple.1))
        }
        return found
    }

    /// Whether a function of it runs when it is loaded.
    ///
    /// No chunk and no attribute says so: the instruction `on_load` stands behind the label of that
    /// function, which has no argument. Without the table of local functions a module may be taken
    /// for such a one that is none.
    ///
    /// Source: `insert_on_load_instruction`, `beam_asm`, Compiler.
    func runsWhenLoaded() throws(FileSystemError) -> Bool {
        var labels: Set<Int> = []
        for triple in try triples("ExpT") + triples("LocT") where triple.1 == 0 {
            labels.insert(triple.2)
        }
        let isComplete = chunks["LocT"] != nil
        let code = chunks["Code"] ?? []
        for (index, byte) in code.enumerated() where byte == Self.label {
            var reader = BeamReader(code[(index + 1)...].prefix(12))
            guard let label = try? reader.compactNumber(), (try? reader.byte()) == Self.onLoad
            else { continue }
            if !isComplete || labels.contains(label) { return true }
        }
        return false
    }

    // Opcodes, `genop.tab`.
    private static let label: UInt8 = 1
    private static let onLoad = 149

    private static func atom(
        _ number: Int, of atoms: [String]
    ) throws(FileSystemError) -> String {
        guard atoms.indices.contains(number - 1) else {
            throw .unusable("it has no atom \(number)")
        }
        return atoms[number - 1]
    }

    /// The rows of a table of three numbers each; none of a table that is not there.
    private func triples(_ name: String) throws(FileSystemError) -> [(Int, Int, Int)] {
        guard let bytes = chunks[name] else { return [] }
        var reader = BeamReader(bytes[...])
        let count = try reader.number()
        guard count <= bytes.count / 12 else { throw .unusable("its chunk \(name) is cut off") }
        var rows: [(Int, Int, Int)] = []
        rows.reserveCapacity(count)
        for _ in 0..<count {
            rows.append((try reader.number(), try reader.number(), try reader.number()))
        }
        return rows
    }
}

/// Reads the numbers of a chunk.
private struct BeamReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func bytes(_ count: Int) throws(FileSystemError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw .unusable("one of its tables is cut off") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func byte() throws(FileSystemError) -> Int { Int(try bytes(1).reduce(0) { $0 + $1 }) }

    /// Four bytes, the highest first.
    mutating func number() throws(FileSystemError) -> Int {
        try bytes(4).reduce(0) { $0 << 8 | Int($1) }
    }

    /// A number without a sign as it stands in code.
    ///
    /// Source: `encode/2`, `beam_asm`, Compiler. Longer ones than of four bytes are no lengths and
    /// no labels.
    mutating func compactNumber() throws(FileSystemError) -> Int {
        let first = try byte()
        guard first & 0b111 == 0 else { throw .unusable("a number is of another kind") }
        if first & 0b1000 == 0 { return first >> 4 }
        if first & 0b10000 == 0 { return (first >> 5) << 8 | (try byte()) }
        let count = first >> 5 + 2
        guard count <= 4 else { throw .unusable("a number is too long") }
        return try bytes(count).reduce(0) { $0 << 8 | Int($1) }
    }
}
