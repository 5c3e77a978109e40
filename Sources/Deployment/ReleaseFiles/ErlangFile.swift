internal import ExternalTermFormat
internal import Supervisor

/// Files of Erlang terms that came with a package: nothing in them is trusted.
enum ErlangFile {
    /// The bytes of a regular file; `nil` when there is none.
    static func read(
        _ path: String, limit: Int, files: any FileSystem
    ) throws(FileContentError) -> [UInt8]? {
        let status: FileStatus?
        do throws(FileSystemError) { status = try files.status(path) } catch {
            throw FileContentError("\(error)")
        }
        guard let status else { return nil }
        // Opening a pipe would wait for a writer.
        guard status.kind == .file else { throw FileContentError("\(path) is not a file") }
        do throws(FileSystemError) { return try files.read(path, limit: limit) } catch {
            throw FileContentError("\(error)")
        }
    }

    /// The terms that `file:consult/1` reads.
    static func terms(_ bytes: [UInt8]) throws(FileContentError) -> [Term] {
        do throws(TextError) {
            var reader = try ErlangTextReader(utf8: bytes)
            var terms: [Term] = []
            while let term = try reader.next() { terms.append(term) }
            return terms
        } catch {
            throw FileContentError(shortened(error.description))
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

/// Why a file is of no use: "…/counter.appup: line 3: …".
struct FileContentError: Error, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}
