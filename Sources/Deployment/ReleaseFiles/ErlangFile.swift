internal import ExternalTermFormat
internal import Supervisor

/// Reads and writes files of Erlang terms. They come with a package: nothing in them is trusted.
enum ErlangFile {
    /// The bytes of a regular file; `nil` when there is none.
    static func read(
        _ path: String, limit: Int, files: any FileSystem
    ) throws(FileSystemError) -> [UInt8]? {
        guard let status = try files.status(path) else { return nil }
        // Opening a pipe would wait for a writer.
        guard status.kind == .file else { throw .unusable("\(path) is not a file") }
        return try files.read(path, limit: limit)
    }

    /// The terms that `file:consult/1` reads.
    static func terms(_ bytes: [UInt8]) throws(FileSystemError) -> [Term] {
        do throws(TextError) {
            var reader = try ErlangTextReader(utf8: bytes)
            var terms: [Term] = []
            while let term = try reader.next() { terms.append(term) }
            return terms
        } catch {
            throw .unusable(shortened(error.description))
        }
    }

    /// The terms as text that `file:consult/1` reads: each on lines of its own, with a dot.
    static func bytes(_ terms: [Term]) -> [UInt8] {
        terms.reduce(into: Array("%% coding: utf-8\n".utf8)) { bytes, term in
            bytes += Array(term.erlangText().utf8)
            bytes += Array(".\n".utf8)
        }
    }
}

/// The first names of a list, for a line of the log.
func listed(_ names: [String]) -> String {
    names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", …" : "")
}

/// How many characters of a reason are kept. A failed `code_change` may carry a whole state.
let maximumReasonLength = 2_000

/// A term in Erlang's syntax, shortened to what a line of the log may hold.
func shortened(_ term: Term) -> String {
    term.erlangText(maximumByteCount: maximumReasonLength)
}

func shortened(_ text: String, to length: Int = maximumReasonLength) -> String {
    guard text.count > length else { return text }
    return text.prefix(length) + "…"
}
