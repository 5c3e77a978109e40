internal import Glibc
internal import Supervisor
internal import Transport

/// What a package is, found by reading it whole: its digest, and the release in it.
package struct PackageInspection: Equatable, Sendable {
    package var byteCount: Int64
    /// In lower-case hexadecimal digits.
    package var sha256: String
    /// What a signature signs.
    package var blake2b512: [UInt8]
    /// The version that `releases/start_erl.data` names; `nil` for a shipment.
    package var version: String?
    /// The names of the executable files in `bin/`, at most a hundred.
    package var programs: Set<String> = []
    /// The folders in `releases/`, at most a hundred.
    package var versions: Set<String> = []
    /// Whether it is a shipment of `gleam export erlang-shipment`.
    package var isShipment = false

    /// Why it is not that release; `nil` if it is.
    /// - Parameter hasStartCommand: whether it is started by another program than `bin/APP`.
    package func problem(
        application: String, version: String, hasStartCommand: Bool
    ) -> String? {
        if !isShipment {
            if let found = self.version, found != version {
                return "its releases/start_erl.data names version \(printable(found.utf8)), not "
                    + "\(version)"
            }
            guard versions.contains(version) else {
                return "it has no folder releases/\(version)"
            }
            guard hasStartCommand || programs.contains(application) else {
                let found = programs.sorted().prefix(5).map { printable($0.utf8) }
                return "it has no executable bin/\(application), but "
                    + (found.isEmpty ? "none at all" : found.joined(separator: ", "))
            }
        }
        return nil
    }

    /// Reads the package. It blocks.
    /// - Parameter progress: called with the bytes read so far.
    package static func read(
        _ path: String, progress: (Int64, _ of: Int64) -> Void = { _, _ in }
    ) throws(UnpackError) -> PackageInspection {
        do throws(UnpackFailure) {
            return try inspect(path, progress)
        } catch {
            throw UnpackError(package: path, reason: error)
        }
    }

    private static func opened(_ path: String) throws(UnpackFailure) -> FileDescriptor {
        do throws(SystemError) {
            return try PackageSource.open(path)
        } catch {
            throw error.code == ENOENT ? .missing : .system(.system(error))
        }
    }

    private static func inspect(
        _ path: String, _ progress: (Int64, _ of: Int64) -> Void
    ) throws(UnpackFailure) -> PackageInspection {
        let file = try opened(path)
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw .last("looking at it") }
        guard status.st_size > 0 else { throw .empty }
        let limits = ArchiveLimits()
        var digests = PackageDigests()
        var found = FoundFiles(limits: limits)
        var inflater = try converting(
            UnpackFailure.damaged, GzipInflater(limit: limits.byteCount))
        var bytes = [UInt8](repeating: 0, count: 256 << 10)
        var output = bytes
        var readCount: Int64 = 0
        while true {
            let count = try converting(
                { UnpackFailure.system(.system($0)) }, file.read(into: &bytes, "reading it"))
            guard count > 0 else { break }
            bytes[..<count].withUnsafeBytes { digests.update($0) }
            readCount += Int64(count)
            var input = bytes[..<count]
            while true {
                let count = try converting(
                    UnpackFailure.damaged, inflater.inflate(&input, into: &output))
                guard count > 0 else { break }
                try found.take(output[..<count])
            }
            progress(readCount, Int64(status.st_size))
        }
        try converting(UnpackFailure.damaged, inflater.finish())
        let values = digests.values()
        return try found.finish(
            byteCount: readCount, sha256: values.sha256, blake2b512: values.blake2b512)
    }
}

/// The members of an archive that say which release it holds.
private struct FoundFiles: ~Copyable {
    private static let maximumCount = 100

    private var members: ArchiveMembers
    private var programs: Set<String> = []
    private var versions: Set<String> = []
    private var hasEntryPoint = false
    /// The beginning of `releases/start_erl.data`.
    private var startErlData: [UInt8] = []
    private var isStartErlData = false

    init(limits: ArchiveLimits) {
        members = ArchiveMembers(limits: limits)
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) throws(UnpackFailure) {
        var piece = bytes
        while let event = try members.next(&piece) {
            switch event {
            case .member(let entry, _): begin(entry)
            case .contents(let bytes):
                guard isStartErlData, startErlData.count < 4096 else { continue }
                startErlData += bytes.prefix(4096)
            case .endOfMember: isStartErlData = false
            }
        }
    }

    private mutating func begin(_ entry: TarEntry) {
        let path = String(decoding: entry.path, as: UTF8.self)
        let parts = path.split(separator: "/").filter { $0 != "." }.map(String.init)
        if parts == ["releases", "start_erl.data"] {
            isStartErlData = true
            startErlData = []
        } else if parts.count > 2 || (parts.count == 2 && entry.kind == .folder),
            parts[0] == "releases", versions.count < Self.maximumCount
        {
            versions.insert(parts[1])
        } else if parts.count == 2, parts[0] == "bin", programs.count < Self.maximumCount {
            // A link's mode says nothing.
            if entry.kind != .file || entry.mode & 0o100 != 0 { programs.insert(parts[1]) }
        } else if parts == [StartCommand.shipmentProgram] {
            hasEntryPoint = true
        }
    }

    consuming func finish(
        byteCount: Int64, sha256: String, blake2b512: [UInt8]
    ) throws(UnpackFailure) -> PackageInspection {
        try members.finish()
        return PackageInspection(
            byteCount: byteCount, sha256: sha256, blake2b512: blake2b512,
            version: StartErlData(startErlData)?.release, programs: programs, versions: versions,
            isShipment: hasEntryPoint && versions.isEmpty && startErlData.isEmpty)
    }
}
