internal import CLinux
internal import Glibc

/// Reads the names in a folder.
package enum FolderEntries {
    /// The names in the folder at `path`, which is relative to the opened folder `descriptor`,
    /// sorted, without `.` and `..`. Links are followed.
    package static func texts(
        of path: String, in descriptor: Int32
    ) throws(FileSystemError) -> [String] {
        let folder = try OpenedFolder(
            Array(path.utf8CString), in: descriptor, follows: true, "listing \(path)")
        return try folder.names("listing \(path)").map(text).sorted()
    }

    /// A name as text, for people and for our own paths, which are text.
    static func text(_ name: [CChar]) -> String {
        String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// An opened folder. It stays the same folder even if another one takes its name.
struct OpenedFolder: ~Copyable {
    private let stream: OpaquePointer
    /// What calls like openat(2) take. It lives as long as this value.
    let descriptor: Int32

    /// - Parameter name: relative to the opened folder `folder`, with its final zero. Names are
    ///   bytes up to a zero, and not every name on a disk is text.
    init(
        _ name: [CChar], in folder: Int32, follows: Bool = false, _ attempt: String
    ) throws(FileSystemError) {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follows ? 0 : O_NOFOLLOW)
        let raw = openat(folder, name, flags)
        guard raw >= 0 else { throw .last(attempt) }
        guard let stream = fdopendir(raw) else {
            let error = FileSystemError.last(attempt)
            close(raw)
            throw error
        }
        self.stream = stream
        descriptor = raw
    }

    deinit {
        closedir(stream)
    }

    /// The next names, at most `limit`, without `.` and `..`, each with its final zero.
    func names(
        _ attempt: String, limit: Int = .max
    ) throws(FileSystemError) -> [[CChar]] {
        var names: [[CChar]] = []
        while names.count < limit {
            // Only errno tells the end from an error (readdir(3)).
            errno = 0
            guard let entry = readdir(stream) else {
                guard clinux_errno() == 0 else { throw .last(attempt) }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            if name != Self.dot, name != Self.dotDot { names.append(name) }
        }
        return names
    }

    /// Starts over: the next names include everything that is there now.
    func rewind() {
        rewinddir(stream)
    }

    private static let dot = Array(".".utf8CString)
    private static let dotDot = Array("..".utf8CString)
}
