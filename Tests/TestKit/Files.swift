internal import Glibc

/// Files of tests and of those that measure. What cannot be read is empty; nothing is durable.
package enum Files {
    /// - Parameter offset: where to begin.
    package static func bytes(_ path: String, from offset: Int = 0) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        lseek(file, offset, SEEK_SET)
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { return content }
            content += buffer[..<count]
        }
    }

    package static func text(_ path: String, from offset: Int = 0) -> String {
        String(decoding: bytes(path, from: offset), as: UTF8.self)
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names in a folder, sorted.
    package static func names(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    /// Writes a file in its place.
    package static func write(
        _ bytes: [UInt8], _ path: String, mode: UInt32 = 0o644
    ) throws(TestFailure) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TestFailure("making \(path): errno \(errno)") }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw TestFailure("writing \(path): errno \(errno)") }
            rest = rest.dropFirst(count)
        }
        fchmod(file, mode)
    }

    /// Makes a folder and those above it that are missing.
    package static func makeFolders(_ path: String) throws(TestFailure) {
        guard !exists(path) else { return }
        try makeFolders(parent(of: path))
        guard mkdir(path, 0o755) == 0 else { throw TestFailure("making \(path): errno \(errno)") }
    }

    /// The folder that something is in.
    package static func parent(of path: String) -> String {
        String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }

    /// Removes a file, or a folder with all that is in it, as far as that goes.
    package static func remove(_ path: String) {
        guard unlink(path) != 0, errno == EISDIR else { return }
        for name in names(path) { remove("\(path)/\(name)") }
        rmdir(path)
    }
}
