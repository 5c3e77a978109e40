internal import Supervisor
internal import Transport

/// What a package holds, found by reading it whole without unpacking it: the digest of each file,
/// and the digest of each module's code.
package struct PackageContents: Equatable, Sendable {
    package enum Member: Equatable, Sendable {
        case file(sha256: [UInt8])
        case folder
        case link(target: String)
    }

    /// By their paths within the package.
    package var members: [String: Member] = [:]
    /// The digest of each module's code, as a node says it, by the path of its file.
    package var code: [String: [UInt8]] = [:]
    /// The files with a module's name that are no beam files.
    package var unreadableModules: [String] = []
    /// The beginning of `releases/start_erl.data`, which release handling writes anew.
    package var startErlData: [UInt8] = []
    /// Of the package, in lower-case hexadecimal digits.
    package var sha256 = ""
    /// What a signature signs.
    package var blake2b512: [UInt8] = []

    package init() {}

    /// Reads the package. It blocks.
    package static func read(_ package: LocalPackage) throws(UnpackError) -> PackageContents {
        try converting(
            { UnpackError(package: package.path, reason: $0) },
            contents(PackageFile(package.path, owners: package.owners)))
    }

    private static func contents(
        _ file: consuming PackageFile
    ) throws(UnpackFailure) -> PackageContents {
        var file = file
        let limits = ArchiveLimits()
        var digests = PackageDigests()
        var reading = PackageReading(limits: limits)
        var inflater = try converting(
            UnpackFailure.damaged, GzipInflater(limit: limits.byteCount))
        var output = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            var input = try file.read()
            guard !input.isEmpty else { break }
            input.withUnsafeBytes { digests.update($0) }
            while true {
                let count = try converting(
                    UnpackFailure.damaged, inflater.inflate(&input, into: &output))
                guard count > 0 else { break }
                try reading.take(output[..<count])
            }
        }
        try converting(UnpackFailure.damaged, inflater.finish())
        var contents = try reading.finish()
        (contents.sha256, contents.blake2b512) = digests.values()
        return contents
    }

    /// The module that a file in an `ebin` folder, or in another one, holds.
    static func module(_ path: String) -> String? {
        guard path.hasSuffix(".beam") else { return nil }
        return String(HostFileSystem.name(of: path).dropLast(5))
    }
}

/// The members of an archive, as they come. One module at a time is in memory.
private struct PackageReading: ~Copyable {
    private struct File: ~Copyable {
        var path: String
        var digest = Digest(.sha256)
        /// The bytes so far, of a module; `nil` for other files, and for one that is too large.
        var module: [UInt8]?

        consuming func end() -> [UInt8] { digest.value() }
    }

    private var members: ArchiveMembers
    private var file: File?
    private var contents = PackageContents()

    init(limits: ArchiveLimits) {
        members = ArchiveMembers(limits: limits)
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) throws(UnpackFailure) {
        var piece = bytes
        while let event = try members.next(&piece) {
            switch event {
            case .member(_, let placement): begin(placement)
            case .contents(let bytes): append(bytes)
            case .endOfMember: endFile()
            }
        }
    }

    private mutating func begin(_ placement: ArchivePolicy.Placement) {
        switch placement {
        case .root: break
        case .folder(let path, _): contents.members[path.text] = .folder
        case .file(let path, _, _):
            let text = path.text
            forget(text)
            file = File(path: text, module: PackageContents.module(text).map { _ in [] })
        case .symbolicLink(let path, let target, _):
            forget(path.text)
            contents.members[path.text] = .link(target: String(decoding: target, as: UTF8.self))
        case .hardLink(let path, let target?, _):
            forget(path.text)
            contents.members[path.text] = contents.members[target.text]
            contents.code[path.text] = contents.code[target.text]
        case .hardLink(_, nil, _): break
        }
    }

    /// A later member replaces an earlier one of its name.
    private mutating func forget(_ path: String) {
        contents.code[path] = nil
        if path == StartErlData.path { contents.startErlData = [] }
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        guard var open = file.take() else { return }
        bytes.withUnsafeBytes { open.digest.update($0) }
        if let count = open.module?.count {
            if count + bytes.count <= BeamFile.maximumByteCount {
                open.module?.append(contentsOf: bytes)
            } else {
                open.module = nil
            }
        }
        if open.path == StartErlData.path, contents.startErlData.count < 4096 {
            contents.startErlData += bytes.prefix(4096)
        }
        file = consume open
    }

    private mutating func endFile() {
        guard let open = file.take() else { return }
        let (path, module) = (open.path, open.module)
        let isModule = PackageContents.module(path) != nil
        contents.members[path] = .file(sha256: open.end())
        guard isModule else { return }
        do throws(FileSystemError) {
            guard let module else { throw .tooLarge(path: path, limit: BeamFile.maximumByteCount) }
            contents.code[path] = try BeamCode(module).digest
        } catch {
            contents.unreadableModules.append(path)
        }
    }

    consuming func finish() throws(UnpackFailure) -> PackageContents {
        try members.finish()
        return contents
    }
}

extension ArchivePath {
    /// The path as the file system has it.
    fileprivate var text: String {
        String(decoding: Array(names.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
    }
}
