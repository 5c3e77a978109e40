@testable import Deployment

/// Crash dumps: how the bytes are cut makes no difference, and no more is kept than is shown.
enum CrashDumpTarget {
    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let size = input.byte()
        let whole = read(input.pieces(of: 0))
        try require(read(input.pieces(of: size)) == whole, "it depends on the pieces")
        guard let whole else { return }
        for list in [whole.largest, whole.busiest] {
            try require(list.count <= CrashDumpReader.processLimit, "\(list.count) processes")
            try require(list.count <= whole.processCount, "more processes than there are")
        }
        // The text of what is shown is no longer than the dump: what is no UTF-8 is replaced by
        // three bytes.
        try require(
            whole.slogan.utf8.count <= 3 * input.rest.count, "the slogan grows")
        _ = whole.term.json
    }

    private static func read(_ pieces: [ArraySlice<UInt8>]) -> CrashDump? {
        var reader = CrashDumpReader()
        for piece in pieces { reader.read(Array(piece)) }
        return reader.finish()
    }
}
