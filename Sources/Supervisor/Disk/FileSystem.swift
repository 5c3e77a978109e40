internal import Glibc
package import Transport

/// Every operation on durable state, in one protocol. Another implementation can count, fail or
/// stop each of them.
///
/// Every operation blocks: code on the event loop calls it through `offload`. Paths are absolute.
/// A change of a folder (a new file, a rename, a removal) is durable only after
/// ``synchronizeFolder(_:)`` of that folder.
package protocol FileSystem: Sendable {
    /// The file's bytes; ``FileSystemError/tooLarge(path:limit:)`` beyond `limit`.
    func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8]
    /// Whether two files hold the same bytes, however many they are.
    func isSame(_ first: String, _ second: String) throws(FileSystemError) -> Bool
    /// The SHA-256 of a file, however long it is.
    func sha256(_ path: String) throws(FileSystemError) -> [UInt8]
    /// Makes a file that must not exist yet and opens it for writing.
    func createFile(_ path: String, mode: UInt32) throws(FileSystemError) -> any NewFile
    /// Overwrites the first bytes of an existing file, durably. A file that is already that long
    /// needs no space. An error, or a kill, may leave any mixture of old and new bytes.
    func overwriteFile(_ path: String, with bytes: [UInt8]) throws(FileSystemError)
    /// Renames, replacing a file at `destination` in one step.
    func rename(_ source: String, to destination: String) throws(FileSystemError)
    /// Exchanges two existing paths in one step.
    func exchange(_ first: String, _ second: String) throws(FileSystemError)
    /// Makes all changes of a folder's entries durable.
    func synchronizeFolder(_ path: String) throws(FileSystemError)
    /// Makes everything on the file system that holds the folder `path` durable. It is meant for
    /// trees of many files. It also waits for what other programs have written.
    func synchronizeFileSystem(holding path: String) throws(FileSystemError)
    /// Makes one folder, whose parent exists. An existing folder is left as it is.
    func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError)
    /// Removes a file or a symbolic link. A missing one is not an error.
    func removeFile(_ path: String) throws(FileSystemError)
    /// Removes whatever is at `path` with everything in it, never through a symbolic link. If
    /// nothing is there, that is not an error.
    func removeTree(_ path: String) throws(FileSystemError)
    /// The names in a folder, sorted, without `.` and `..`.
    func list(_ path: String) throws(FileSystemError) -> [String]
    /// What is at `path`, without following a symbolic link there; `nil` when there is nothing.
    func status(_ path: String) throws(FileSystemError) -> FileStatus?
    /// Copies a file to a new one. Its content is durable after
    /// ``synchronizeFileSystem(holding:)``: copies are made of many files at once.
    func copyFile(_ source: String, to destination: String, mode: UInt32) throws(FileSystemError)
}

extension FileSystem {
    /// For a file system whose files fit into memory.
    package func isSame(_ first: String, _ second: String) throws(FileSystemError) -> Bool {
        try read(first, limit: .max) == read(second, limit: .max)
    }

    /// For a file system whose files fit into memory.
    package func sha256(_ path: String) throws(FileSystemError) -> [UInt8] {
        Digest.sha256(try read(path, limit: .max))
    }
}

/// A file that is being written. If it is dropped before ``finish()``, the file stays as it is, not
/// durable.
package protocol NewFile: AnyObject {
    /// Appends all of `bytes`, or throws.
    func write(_ bytes: ArraySlice<UInt8>) throws(FileSystemError)
    /// Makes the content durable and closes the file. Called once, last.
    func finish() throws(FileSystemError)
}

/// What is at a path.
package struct FileStatus: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case file, folder, symbolicLink, other
    }

    package var kind: Kind
    package var byteCount: Int64
    /// The permission bits, 0o7777 at most.
    package var mode: UInt32
    /// The user id of the owner.
    package var owner: UInt32
    /// When the content was changed last, in nanoseconds since 1970.
    package var changedAt: Int64

    package init(
        kind: Kind, byteCount: Int64, mode: UInt32, owner: UInt32, changedAt: Int64 = 0
    ) {
        self.changedAt = changedAt
        self.kind = kind
        self.byteCount = byteCount
        self.mode = mode
        self.owner = owner
    }
}

/// Why an operation on durable state failed.
package enum FileSystemError: Error, Equatable, CustomStringConvertible {
    case system(SystemError)
    case tooLarge(path: String, limit: Int)
    /// A folder that is deeper in its tree than anything that is ever unpacked.
    case tooDeep(path: String)
    /// What is at the path is not what it should be; the text says what, where, and what helps.
    case unusable(String)
    /// Somebody who is not trusted can change what is at a path, or the wrong thing is there.
    case untrusted(PathTrustError)
    /// An injected stop: nothing happens any more, as after a power cut.
    case stopped

    /// The errno value, where a system call failed.
    package var code: Int32? {
        switch self {
        case .system(let error): error.code
        case .untrusted(let error):
            if case .system(let error) = error.reason { error.code } else { nil }
        case .tooLarge, .tooDeep, .unusable, .stopped: nil
        }
    }

    package var isNotFound: Bool { code == ENOENT }
    package var isFull: Bool { code == ENOSPC || code == EDQUOT }

    package var description: String {
        switch self {
        case .system(let error): error.description
        case .tooLarge(let path, let limit): "reading \(path): more than \(limit) bytes"
        case .tooDeep(let path): "\(path): folders nested too deep"
        case .unusable(let text): text
        case .untrusted(let error): error.description
        case .stopped: "the file system has stopped"
        }
    }
}
