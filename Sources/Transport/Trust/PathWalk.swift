internal import CLinux
internal import Glibc

/// One walk of ``PathTrust`` along a path.
///
/// Source: path_resolution(7); openat(2) with O_PATH and O_NOFOLLOW, which opens a link itself.
struct PathWalk: ~Copyable {
    private let trust: PathTrust
    /// The path that was asked for, for errors.
    private let path: String
    /// The folder that has been reached, and its path.
    private var reached: FileDescriptor
    private var place: String
    /// The names that are still to be walked, the next one last.
    private var names: [String]
    private var linkCount = 0
    /// Whether folders are judged. They are not below a folder that the caller vouches for.
    private var judgesFolders: Bool
    /// How many names below that folder the walk is.
    private var depth = 0

    private static let maximumLinkCount = 40

    /// A walk along `path`. A relative path begins at the working directory.
    init(_ trust: PathTrust, _ path: String) throws(PathTrustError) {
        let names = Self.names(try Self.absolute(path, trust))
        let root = try Self.openRoot(trust, path)
        self.trust = trust
        self.path = path
        self.names = names
        judgesFolders = true
        place = ""
        reached = root
    }

    /// A walk from an opened folder. The caller vouches for the folders below it, so these are not
    /// judged. But only links of trusted users are followed, and where such a link leads out
    /// everything is judged.
    init(
        _ trust: PathTrust, from folder: borrowing FileDescriptor, at place: String,
        along names: [String]
    ) throws(PathTrustError) {
        let path = place + "/" + names.joined(separator: "/")
        let start = try Self.open(".", in: folder.raw, O_DIRECTORY, trust, path, place)
        self.trust = trust
        self.path = path
        self.place = place
        self.names = names.reversed()
        judgesFolders = false
        reached = start
    }

    private static func absolute(
        _ path: String, _ trust: PathTrust
    ) throws(PathTrustError) -> String {
        var whole = path
        if !path.hasPrefix("/") {
            guard let folder = getcwd(nil, 0) else {
                throw PathTrustError(.last("asking for the working directory"), path: path)
            }
            whole = String(cString: folder) + "/" + path
            free(folder)
        }
        guard !path.isEmpty, !whole.utf8.contains(0) else {
            throw PathTrustError(SystemError("opening \"\(path)\"", code: ENOENT), path: path)
        }
        return whole
    }

    private static func openRoot(
        _ trust: PathTrust, _ path: String
    ) throws(PathTrustError) -> FileDescriptor {
        let root = try open("/", in: AT_FDCWD, O_DIRECTORY, trust, path, "/")
        try trust.judge(PathTrust.entry(of: root.raw, "/"), as: .folder, path: path, place: "/")
        return root
    }

    // MARK: Ends

    mutating func folder(makingMissing mode: UInt32?) throws(PathTrustError) -> FileDescriptor {
        while let name = names.popLast() {
            try step(name, makingMissing: mode)
        }
        return try Self.open(".", in: reached.raw, O_DIRECTORY, trust, path, text(of: place))
    }

    mutating func file(_ role: PathTrustRule.Role) throws(PathTrustError) -> FileDescriptor {
        let name = try walkToFolder()
        return try trust.file(
            name, in: reached, path: path, as: role, flags: O_RDONLY)
    }

    /// Walks to the folder that contains the path's last name, and follows links at the end too.
    /// - Returns: that folder and the name in it, which may be missing.
    mutating func end() throws(PathTrustError) -> FolderAnchor.Entry {
        let name = try walkToFolder()
        let folder = try Self.open(".", in: reached.raw, O_DIRECTORY, trust, path, text(of: place))
        return FolderAnchor.Entry(folder: folder, name: name)
    }

    private mutating func walkToFolder() throws(PathTrustError) -> String {
        while let name = names.popLast() {
            guard names.isEmpty else {
                try step(name, makingMissing: nil)
                continue
            }
            guard name != ".." else {
                try step(name, makingMissing: nil)
                return "."
            }
            let raw = Glibc.openat(reached.raw, name, clinux_o_path | O_NOFOLLOW | O_CLOEXEC)
            guard raw >= 0 else {
                // The caller will open it and report what is wrong.
                guard clinux_errno() == ENOENT else {
                    throw PathTrustError(.last("opening \(path)"), path: path)
                }
                return name
            }
            let opened = FileDescriptor(owning: raw)
            let entry = try PathTrust.entry(of: raw, place + "/" + name)
            guard entry.kind == .link else { return name }
            try follow(opened, entry, name)
        }
        return "."
    }

    // MARK: Steps

    private mutating func step(
        _ name: String, makingMissing mode: UInt32?
    ) throws(PathTrustError) {
        let here = place + "/" + name
        if name == ".." {
            guard judgesFolders || depth > 0 else {
                throw error(SystemError("leaving \(place)", code: EXDEV), at: here)
            }
            reached = try Self.open("..", in: reached.raw, O_DIRECTORY, trust, path, here)
            place = Self.parent(of: place)
            depth -= 1
            return try judgeReached()
        }
        var raw = Glibc.openat(reached.raw, name, clinux_o_path | O_NOFOLLOW | O_CLOEXEC)
        if raw < 0, clinux_errno() == ENOENT, let mode {
            try make(name, here, mode)
            raw = Glibc.openat(reached.raw, name, clinux_o_path | O_NOFOLLOW | O_CLOEXEC)
        }
        guard raw >= 0 else { throw error(.last("opening \(here)"), at: here) }
        let opened = FileDescriptor(owning: raw)
        let entry = try PathTrust.entry(of: raw, here)
        if entry.kind == .link { return try follow(opened, entry, name) }
        if judgesFolders {
            try trust.judge(entry, as: .folder, path: path, place: here)
        } else if entry.kind != .folder {
            throw error(SystemError("opening \(here)", code: ENOTDIR), at: here)
        }
        reached = opened
        place = here
        depth += 1
    }

    /// Puts a link's target before the names that are still to be walked.
    private mutating func follow(
        _ link: borrowing FileDescriptor, _ entry: PathEntry, _ name: String
    ) throws(PathTrustError) {
        let here = place + "/" + name
        try trust.judge(entry, as: .link, path: path, place: here)
        linkCount += 1
        guard linkCount <= Self.maximumLinkCount else {
            throw PathTrustError(path: path, place: here, reason: .tooManyLinks)
        }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = clinux_link_target(link.raw, &buffer, buffer.count)
        guard count > 0 else { throw error(.last("reading the link \(here)"), at: here) }
        let target = String(
            decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        names += Self.names(target)
        guard target.hasPrefix("/") else { return }
        judgesFolders = true
        place = ""
        reached = try Self.openRoot(trust, path)
    }

    private func judgeReached() throws(PathTrustError) {
        guard judgesFolders else { return }
        let here = text(of: place)
        try trust.judge(
            PathTrust.entry(of: reached.raw, here), as: .folder, path: path, place: here)
    }

    private func make(_ name: String, _ here: String, _ mode: UInt32) throws(PathTrustError) {
        let attempt = "making the folder \(here)"
        guard mkdirat(reached.raw, name, mode) == 0 else {
            // Somebody else was faster: what is there now will be judged.
            if clinux_errno() == EEXIST { return }
            throw error(.last(attempt), at: here)
        }
        let raw = Glibc.openat(
            reached.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { throw error(.last(attempt), at: here) }
        let folder = FileDescriptor(owning: raw)
        // Sets the mode that was asked for, whatever the umask.
        guard fchmod(folder.raw, mode) == 0 else { throw error(.last(attempt), at: here) }
        let above = Glibc.openat(reached.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A folder in which folders can be made cannot always be opened.
        guard above >= 0 else { return }
        let parent = FileDescriptor(owning: above)
        guard fsync(parent.raw) == 0 else { throw error(.last(attempt), at: here) }
    }

    // MARK: Texts

    /// The names of a path, the first one last.
    private static func names(_ path: String) -> [String] {
        path.split(separator: "/").reversed().map(String.init).filter { $0 != "." }
    }

    private static func parent(of place: String) -> String {
        place.lastIndex(of: "/").map { String(place[..<$0]) } ?? ""
    }

    private func text(of place: String) -> String { place.isEmpty ? "/" : place }

    private func error(_ error: SystemError, at here: String) -> PathTrustError {
        PathTrustError(error, path: path, place: here)
    }

    private static func open(
        _ name: String, in folder: Int32, _ flags: Int32, _ trust: PathTrust, _ path: String,
        _ here: String
    ) throws(PathTrustError) -> FileDescriptor {
        let raw = Glibc.openat(folder, name, flags | clinux_o_path | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else {
            throw PathTrustError(.last("opening \(here)"), path: path, place: here)
        }
        return FileDescriptor(owning: raw)
    }
}
