internal import Glibc
internal import Supervisor

/// Which release in a folder boots next, and with which emulator: `releases/start_erl.data`, which is
/// "ERTS-VERSION RELEASE-VERSION".
///
/// Source: OTP System Principles, "Creating and Upgrading a Target System".
struct StartErlData: Equatable {
    /// Within a release's folder.
    static let path = "releases/start_erl.data"
    /// A longer file is not one.
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

    /// What the file in the release folder `folder` says. `nil` where there is no such file, it names
    /// no release that is there (it was cut, or is garbage), or it cannot be read as it stands.
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

    /// Nothing is there, or what a release may have put in its place: a folder, a loop of links, a pipe,
    /// something closed.
    private static let noFile: Set<Int32> = [
        ENOENT, EISDIR, ENOTDIR, ELOOP, EACCES, EPERM, ENXIO, ENOTCONN, EINVAL,
    ]

    /// Replaces the file in the release folder `folder`, durably.
    func write(in folder: String, files: any FileSystem) throws(FileSystemError) {
        try files.replaceFile(
            "\(folder)/\(Self.path)", with: Array("\(erts) \(release)".utf8), mode: 0o644)
    }
}
