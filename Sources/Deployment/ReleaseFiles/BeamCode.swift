internal import ExternalTermFormat
internal import Supervisor
internal import Transport

/// The part of a compiled module that runs: what `beam_lib:md5/1` and `Module:module_info(md5)`
/// take the digest of. Debug information, documentation, line numbers and attributes are not in it,
/// so a module that was built again from the same source most often equals itself.
///
/// A beam file is an IFF form: `"FOR1"`, a length, `"BEAM"`, then chunks of a name, a length and
/// that many bytes, padded to a multiple of four. It may be compressed as a whole by gzip.
///
/// Source: `beam_lib`, STDLIB: `md5_chunks/0`, `filter_funtab/1`.
struct BeamCode: Equatable, Sendable {
    /// Far more than any module needs.
    static let maximumByteCount = 64 << 20

    /// In the order in which the digest is made.
    private static let names = [
        "Atom", "AtU8", "Code", "StrT", "ImpT", "ExpT", "FunT", "LitT", "Meta", "Recs", "DbgB",
    ]

    private var chunks: [[UInt8]?]

    /// What the node says that has loaded it: `Module:module_info(md5)`.
    var digest: [UInt8] {
        var digest = Digest(.md5)
        for chunk in chunks.compactMap({ $0 }) { digest.update(chunk) }
        return digest.value()
    }

    /// - Throws: `FileSystemError.unusable` for bytes that are no beam file.
    init(_ file: [UInt8]) throws(FileSystemError) {
        var found = try Self.chunks(of: file, named: Self.names)
        guard found["Code"] != nil else { throw .unusable("it has no code") }
        found["FunT"] = found["FunT"].map(Self.withoutOldUniques)
        chunks = Self.names.map { found[$0] }
    }

    /// The behaviours that a module says it has; none for a module without its attributes.
    static func behaviours(of file: [UInt8]) throws(FileSystemError) -> Set<String> {
        guard let bytes = try chunks(of: file, named: ["Attr"])["Attr"] else { return [] }
        let attributes: Term
        do throws(TermError) {
            attributes = try Term(decoding: bytes)
        } catch {
            throw .unusable("its attributes: \(error)")
        }
        var found: Set<String> = []
        for case .tuple(let pair) in attributes.asList ?? []
        where pair.count == 2 && (pair[0] == .atom("behaviour") || pair[0] == .atom("behavior")) {
            found.formUnion((pair[1].asList ?? []).compactMap { $0.asAtom?.name })
        }
        return found
    }

    private static func chunks(
        of file: [UInt8], named names: [String]
    ) throws(FileSystemError) -> [String: [UInt8]] {
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
            if names.contains(name), found[name] == nil {
                found[name] = Array(rest.prefix(count))
            }
            rest = rest.dropFirst((count + 3) & ~3)
        }
        return found
    }

    /// The table of functions, each entry of 24 bytes without its last four: an earlier kind of
    /// digest, which changes with the line numbers.
    private static func withoutOldUniques(_ table: [UInt8]) -> [UInt8] {
        var table = table
        for entry in stride(from: 4, through: table.count - 24, by: 24) {
            for offset in 20..<24 { table[entry + offset] = 0 }
        }
        return table
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
