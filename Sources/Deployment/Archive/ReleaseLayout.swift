internal import Glibc
internal import Supervisor

/// The files that an application's release must have in its folder: an executable `bin/APP`, or the
/// configured program, and `releases/VERSION`. If there is a `releases/start_erl.data`, it must
/// name the same version.
///
/// A shipment (`entrypoint.sh`, and a folder for each library) has no `releases`, and does not say
/// its version. ``completeShipment(_:files:)`` adds the files by which the rest of deployex
/// recognises a release.
///
/// Source: OTP System Principles, "Creating and Upgrading a Target System"; mix release writes the
/// same layout.
struct ReleaseLayout: Equatable {
    var application: String
    var version: String
    /// The program that starts it; `nil` for `bin/APP`.
    var program: String?

    /// Checks the unpacked folder behind `descriptor`. Its links are known to stay inside.
    func check(_ descriptor: Int32) throws(UnpackFailure) {
        var status = stat()
        let isShipment = isShipment(descriptor)
        let program =
            self.program ?? (isShipment ? StartCommand.shipmentProgram : "bin/\(application)")
        guard fstatat(descriptor, program, &status, 0) == 0 else {
            throw .wrongPackage(
                expected: "an executable `\(program)`",
                found: list(descriptor, "bin") ?? list(descriptor, ".") ?? "nothing")
        }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o100 != 0 else {
            throw .wrongPackage(
                expected: "an executable `\(program)`", found: "one that is not executable")
        }
        if isShipment { return }
        let release = "\(application) \(version)"
        if let found = StartErlData(read(descriptor, StartErlData.path))?.release, found != version
        {
            throw .wrongPackage(expected: release, found: "\(application) \(printable(found.utf8))")
        }
        let folder = "releases/\(version)"
        guard fstatat(descriptor, folder, &status, 0) == 0, status.st_mode & S_IFMT == S_IFDIR
        else {
            throw .wrongPackage(
                expected: "\(release) with a folder `\(folder)`",
                found: list(descriptor, "releases") ?? "no folder `releases`")
        }
    }

    private func isShipment(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstatat(descriptor, StartCommand.shipmentProgram, &status, 0) == 0
            && fstatat(descriptor, "\(application)/ebin", &status, 0) == 0
            && fstatat(descriptor, "releases", &status, AT_SYMLINK_NOFOLLOW) != 0
            && fstatat(descriptor, "bin/\(application)", &status, 0) != 0
    }

    /// Gives a shipment in `folder` a `releases/start_erl.data` and the folder that it names. Does
    /// nothing if there is a folder `releases`.
    func completeShipment(_ folder: String, files: any FileSystem) throws(FileSystemError) {
        guard try files.status(folder + "/releases") == nil else { return }
        try files.makeFolders("\(folder)/releases/\(version)", mode: 0o755)
        try StartErlData(erts: "none", release: version).write(in: folder, files: files)
    }

    /// The first 4 KiB of a file; nothing when it cannot be read.
    private func read(_ descriptor: Int32, _ path: String) -> [UInt8] {
        let file = openat(descriptor, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        return [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            count = max(0, Glibc.read(file, buffer.baseAddress, 4096))
        }
    }

    /// "`bin` with `a`, `b`, …" for messages; `nil` when there is no such folder.
    private func list(_ descriptor: Int32, _ folder: String) -> String? {
        guard let names = try? FolderEntries.texts(of: folder, in: descriptor) else { return nil }
        let place = folder == "." ? "a package" : "`\(folder)`"
        let shown = names.map { "`\(printable($0.utf8))`" }
        guard !shown.isEmpty else { return "\(place) with nothing in it" }
        let more = shown.count > 5 ? ", …" : ""
        return "\(place) with " + shown.prefix(5).joined(separator: ", ") + more
    }
}
