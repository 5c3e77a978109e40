internal import Glibc
internal import HTTP
package import Supervisor
internal import Transport

/// A file that an object is fetched into, over as many answers as it takes.
///
/// The invariant behind `@unchecked Sendable`: answers come one after the other, and an answer's
/// head before its content is written. What anybody may ask at any time is in `progress`.
package final class ObjectFile: @unchecked Sendable {
    package struct Progress: Equatable, Sendable {
        package var byteCount: Int64 = 0
        /// Of the whole object; `nil` while that is not known.
        package var totalByteCount: Int64?
    }

    package let path: String
    private let files: any FileSystem
    private let sha256: String?
    private var file: (any NewFile)?
    private var head: ObjectHead?
    private var checks: RunningChecks?
    /// Whether the next content is the object's beginning.
    private var begins = true
    /// Why an answer was not taken.
    private(set) var problem: String?
    private let state = Guarded(Progress())
    private let highest = Guarded<Int64>(0)

    /// - Parameters:
    ///   - path: where nothing is yet, or what may be removed.
    ///   - sha256: of the content, in hexadecimal.
    package init(_ path: String, files: any FileSystem, sha256: String? = nil) {
        self.path = path
        self.files = files
        self.sha256 = sha256
    }

    package var progress: Progress { state.withLock { $0 } }

    /// How far any answer has come.
    var furthest: Int64 { highest.withLock { $0 } }

    /// What is asked for: the rest of the same object, or the whole.
    var fields: [HTTPField] {
        var fields = [HTTPField("x-amz-checksum-mode", "ENABLED")]
        let count = progress.byteCount
        if count > 0, let tag = head?.tag, !tag.hasPrefix("W/") {
            fields += [HTTPField("Range", "bytes=\(count)-"), HTTPField("If-Match", tag)]
        }
        return fields
    }

    /// Whether an answer with this head has content for the file.
    func takes(_ answer: HTTPResponseHead) -> Bool {
        problem = nil
        switch answer.status {
        case 200:
            head = ObjectHead(answer, sha256: sha256)
            begins = true
            let total = head?.byteCount
            state.withLock { $0 = Progress(totalByteCount: total) }
            return true
        case 206:
            let count = progress.byteCount
            guard let range = ObjectHead.range(of: answer), range.begin == count, count > 0,
                range.byteCount == head?.byteCount ?? range.byteCount,
                let tag = head?.tag, answer.fields.values("etag").first ?? tag == tag
            else {
                problem = "the server sent another part than the one asked for"
                return false
            }
            return true
        default: return false
        }
    }

    /// Writes the next content. It blocks.
    func write(_ bytes: [UInt8]) -> Result<Void, SystemError> {
        do throws(FileSystemError) {
            if begins { try begin() }
            try file?.write(bytes[...])
        } catch {
            discard()
            if case .system(let error) = error { return .failure(error) }
            return .failure(SystemError("\(error)", code: EIO))
        }
        checks?.update(bytes)
        let count = state.withLock { state in
            state.byteCount += Int64(bytes.count)
            return state.byteCount
        }
        highest.withLock { $0 = max($0, count) }
        return .success(())
    }

    private func begin() throws(FileSystemError) {
        // Without an answer's head nobody knows what the content must be like.
        guard head != nil else { throw .unusable("writing \(path): it was discarded meanwhile") }
        file = nil
        try files.removeFile(path)
        file = try files.createFile(path, mode: 0o600)
        checks = RunningChecks(head?.checks ?? [])
        begins = false
    }

    /// Makes the content durable. The file is then at its path, or, if its content is wrong,
    /// removed. It blocks.
    /// - Returns: what is wrong with the content.
    func finish() throws(FileSystemError) -> String? {
        do throws(FileSystemError) {
            // An empty object has no content that would have begun the file.
            if begins { try begin() }
            try file?.finish()
        } catch {
            discard()
            throw error
        }
        file = nil
        let progress = progress
        var problem = checks?.problem()
        if let total = progress.totalByteCount, total != progress.byteCount {
            problem = "it has \(progress.byteCount) bytes, and should have \(total)"
        }
        if problem != nil { discard() }
        return problem
    }

    /// Removes what has come. It blocks.
    package func discard() {
        file = nil
        head = nil
        checks = nil
        begins = true
        state.withLock { $0 = Progress() }
        // What cannot be removed now is removed before the next file is begun.
        do throws(FileSystemError) { try files.removeFile(path) } catch {}
    }
}
