internal import Glibc
internal import Supervisor

/// The file `releases/start_erl.data`. It says which release in a folder boots next, and with which
/// emulator: "ERTS-VERSION RELEASE-VERSION".
///
/// Source: OTP System Principles, "Creating and Upgrading a Target System".
struct StartErlData: Equatable {
    /// The path within a release's folder.
    static let path = "releases/start_erl.data"
    /// A longer file counts as garbage.
    static let maximumByteCount = 64 << 10

    var erts: String
    var release: String
}

extension StartErlData {
    /// `nil` for anything but two words.
    init?(_ bytes: [UInt8]) {
        let words = bytes.split { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard words.count == 2 else { return nil }
        self.init(
            erts: String(decoding: words[0], as: UTF8.self),
            release: String(decoding: words[1], as: UTF8.self))
    }

    /// Reads the file in the release folder `folder`. `nil` if there is no such file, if it names
    /// no release that is there (it was cut, or is garbage), or if it cannot be read as it is.
    static func read(
        in folder: String, files: any FileSystem
    ) throws(FileSystemError) -> StartErlData? {
        do throws(FileSystemError) {
            let bytes = try files.read("\(folder)/\(path)", limit: maximumByteCount)
            guard let data = StartErlData(bytes), isPathComponent(data.release),
                try files.status("\(folder)/releases/\(data.release)")?.kind == .folder
            else { return nil }
            return data
        } catch {
            if case .tooLarge = error { return nil }
            guard let code = error.code, noFile.contains(code) else { throw error }
            return nil
        }
    }

    /// Errors that mean that no file is there, or that a release may have put something in its
    /// place: a folder, a loop of links, a pipe, something that may not be read.
    private static let noFile: Set<Int32> = [
        ENOENT, EISDIR, ENOTDIR, ELOOP, EACCES, EPERM, ENXIO, ENOTCONN, EINVAL,
    ]

    /// Replaces the file in the release folder `folder`, durably.
    func write(in folder: String, files: any FileSystem) throws(FileSystemError) {
        try files.replaceFile(
            "\(folder)/\(Self.path)", with: Array("\(erts) \(release)".utf8), mode: 0o644)
    }
}
