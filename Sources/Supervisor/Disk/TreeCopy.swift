internal import CLinux
internal import Glibc
internal import Transport

/// Copies a folder with all that is in it. File systems that can let both share their blocks
/// (copy_file_range(2)); no two names are one file, so that a change to one copy
/// does not change the other.
///
/// The source may belong to somebody else, who changes it meanwhile. So it is opened name by name
/// without following links, and each file must belong to one of `owners` and have no other name,
/// which could be in another folder.
package struct TreeCopy: Sendable {
    /// Users.
    package var owners: Set<UInt32>
    /// Names in the source folder itself that are not copied.
    package var omittedNames: Set<String>

    /// More than any release has.
    private static let maximumDepth = 64

    package init(owners: Set<UInt32>, omitting omittedNames: Set<String> = []) {
        self.owners = owners
        self.omittedNames = omittedNames
    }

    /// Copies what is in `source` into `destination`, an empty folder. On an error a part stays
    /// behind. It blocks.
    /// - Returns: the bytes of all files.
    package func copy(_ source: String, to destination: String) throws(FileSystemError) -> Int64 {
        let from = try FileSystemError.trusting(PathTrust().folder(source))
        let to = try FileSystemError.trusting(PathTrust().folder(destination))
        let folder = try OpenedFolder(Self.itself, in: from.raw, "opening \(source)")
        let omitted = Set(omittedNames.map { Array($0.utf8CString) })
        return try copy(folder, to: to.raw, omitting: omitted, depth: 0)
    }

    private static let itself = Array(".".utf8CString)

    private func copy(
        _ folder: borrowing OpenedFolder, to destination: Int32, omitting: Set<[CChar]> = [],
        depth: Int
    ) throws(FileSystemError) -> Int64 {
        guard depth < Self.maximumDepth else { throw .tooDeep(path: "what is copied") }
        var byteCount: Int64 = 0
        for name in try folder.names("listing what is copied") where !omitting.contains(name) {
            let text = FolderEntries.text(name)
            var status = stat()
            guard fstatat(folder.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw .last("looking at \(text)")
            }
            switch status.st_mode & S_IFMT {
            case S_IFREG:
                byteCount += try copyFile(name, text, in: folder.descriptor, to: destination)
            case S_IFDIR:
                byteCount += try copyFolder(
                    name, text, in: folder.descriptor, to: destination, depth: depth)
            case S_IFLNK:
                try copyLink(name, text, in: folder.descriptor, to: destination)
            default: throw .unusable("\(text) is neither a file nor a folder nor a link")
            }
        }
        return byteCount
    }

    private func copyFolder(
        _ name: [CChar], _ text: String, in folder: Int32, to destination: Int32, depth: Int
    ) throws(FileSystemError) -> Int64 {
        let source = try OpenedFolder(name, in: folder, "opening \(text)")
        var status = stat()
        guard fstat(source.descriptor, &status) == 0 else { throw .last("looking at \(text)") }
        guard mkdirat(destination, name, 0o700) == 0 else { throw .last("making \(text)") }
        let made = try OpenedFolder(name, in: destination, "opening \(text)")
        let byteCount = try copy(source, to: made.descriptor, depth: depth + 1)
        guard fchmod(made.descriptor, status.st_mode & 0o777) == 0 else {
            throw .last("setting the mode of \(text)")
        }
        return byteCount
    }

    private func copyLink(
        _ name: [CChar], _ text: String, in folder: Int32, to destination: Int32
    ) throws(FileSystemError) {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlinkat(folder, name, &target, target.count - 1)
        guard count >= 0 else { throw .last("reading the link \(text)") }
        target[count] = 0
        guard symlinkat(target, destination, name) == 0 else {
            throw .last("making the link \(text)")
        }
    }

    private func copyFile(
        _ name: [CChar], _ text: String, in folder: Int32, to destination: Int32
    ) throws(FileSystemError) -> Int64 {
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        let source = openat(folder, name, flags)
        guard source >= 0 else { throw .last("opening \(text)") }
        let input = FileDescriptor(owning: source)
        var status = stat()
        guard fstat(input.raw, &status) == 0 else { throw .last("looking at \(text)") }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1,
            owners.contains(status.st_uid)
        else { throw .unusable("\(text) may be a file of another folder") }
        let raw = openat(
            destination, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .last("making \(text)") }
        let output = FileDescriptor(owning: raw)
        let byteCount = try copyBytes(from: input, to: output, text)
        let times = [status.st_mtim, status.st_mtim]
        guard futimens(output.raw, times) == 0, fchmod(output.raw, status.st_mode & 0o777) == 0
        else { throw .last("setting the mode and time of \(text)") }
        return byteCount
    }

    private func copyBytes(
        from input: borrowing FileDescriptor, to output: borrowing FileDescriptor, _ text: String
    ) throws(FileSystemError) -> Int64 {
        var copied: Int64 = 0
        while true {
            let count = clinux_copy_bytes(input.raw, output.raw, 1 << 30)
            if count < 0, clinux_errno() == EINTR { continue }
            // A file system that cannot says so before the first byte.
            guard count >= 0 else { throw .last("copying \(text)") }
            if count == 0 { return copied }
            copied += Int64(count)
        }
    }
}
