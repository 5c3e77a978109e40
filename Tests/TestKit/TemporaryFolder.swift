internal import FoundationEssentials
internal import Glibc

/// A folder of a test's own, for its owner alone. It goes when the test does.
package final class TemporaryFolder: Sendable {
    /// Its path, without symbolic links.
    package let path: String

    /// - Parameters:
    ///   - purpose: a part of its name.
    ///   - parent: where it is made, such as on another file system.
    package init(
        _ purpose: String = "test", in parent: String = FileManager.default.temporaryDirectory.path
    ) {
        var template = Array("\(parent)/deployex-\(purpose)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil, let real = realpath(template, nil) else {
            fatalError("no folder can be made in \(parent): errno \(errno)")
        }
        defer { free(real) }
        path = String(cString: real)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of something in it.
    package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    package func write(_ text: String, _ name: String, mode: Int = 0o644) {
        _ = FileManager.default.createFile(
            atPath: self(name), contents: Data(text.utf8), attributes: [.posixPermissions: mode])
    }

    /// What a file says; `nil` when there is none.
    package func text(_ name: String) -> String? {
        FileManager.default.contents(atPath: self(name)).map { String(decoding: $0, as: UTF8.self) }
    }
}
