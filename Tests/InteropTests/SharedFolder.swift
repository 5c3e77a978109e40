import Glibc
import TestKit

/// A temporary folder that the tests and their peers see under the same path. Only its owner may
/// look inside. It goes when the test does.
///
/// For an OTP in a folder of its own it lies in that one's `/tmp`, and `/tmp` of this host holds a
/// symbolic link of the same name to it.
final class SharedFolder: Sendable {
    let path: String
    private let folder: TemporaryFolder

    /// Where it is: its path without symbolic links in it.
    var location: String { folder.path }

    init(release: OTPRelease = .current) throws {
        folder = TemporaryFolder("interop", in: (release.root ?? "") + "/tmp")
        guard release.root != nil else {
            path = folder.path
            return
        }
        path = "/tmp/" + (folder.path.split(separator: "/").last ?? "")
        guard symlink(folder.path, path) == 0 else {
            throw TestFailure("linking \(path) to \(folder.path): errno \(errno)")
        }
    }

    deinit {
        if path != folder.path { unlink(path) }
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        guard let file = fopen("\(location)/\(name)", "wb") else {
            throw TestFailure("writing \(name): errno \(errno)")
        }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw TestFailure("writing \(name): errno \(errno)")
        }
    }

    func read(_ name: String) -> [UInt8] { Files.bytes("\(location)/\(name)") }
}
