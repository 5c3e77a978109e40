import Glibc

/// A temporary folder that the tests and their peers see under the same path.
///
/// For an OTP in a folder of its own it lies in that one's `/tmp`, and `/tmp` of this host holds a
/// symbolic link of the same name to it. Only its owner may look inside.
struct SharedFolder: Sendable {
    let path: String
    private let link: String?

    init(release: OTPRelease = .current) throws {
        var template = Array("\(release.root ?? "")/tmp/deployex-interop-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ErlangProcess.Failure(description: "mkdtemp: errno \(errno)")
        }
        let made = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let root = release.root else {
            path = made
            link = nil
            return
        }
        path = String(made.dropFirst(root.count))
        link = path
        guard symlink(made, path) == 0 else {
            let code = errno
            rmdir(made)
            throw ErlangProcess.Failure(description: "linking \(path) to \(made): errno \(code)")
        }
    }

    /// Where it is: its path without symbolic links in it.
    var location: String { (link == nil ? "" : OTPRelease.current.root ?? "") + path }

    /// Forgets the folder, which is empty or removed by now.
    func remove() {
        rmdir(location)
        if let link { unlink(link) }
    }
}
