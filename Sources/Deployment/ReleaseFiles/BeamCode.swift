internal import Supervisor
internal import Transport

/// The part of a compiled module that runs: what `beam_lib:md5/1` and `Module:module_info(md5)`
/// take the digest of. Debug information, documentation, line numbers and attributes are not in it,
/// so a module that was built again from the same source most often equals itself.
///
/// Source: `beam_lib`, STDLIB: `md5_chunks/0`, `filter_funtab/1`.
struct BeamCode: Equatable, Sendable {
    /// Of the chunks, in the order in which the digest is made.
    static let names = [
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
        self.init(try BeamFile(file))
    }

    init(_ beam: BeamFile) {
        chunks = Self.names.map { $0 == "FunT" ? beam[$0].map(Self.withoutOldUniques) : beam[$0] }
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
}
