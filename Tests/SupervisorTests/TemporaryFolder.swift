import Foundation

/// A folder of a test's own; it goes when the test does.
final class TemporaryFolder: Sendable {
    let path: String

    /// - Parameter parent: where it is made, such as on another file system.
    init(in parent: String = FileManager.default.temporaryDirectory.path) {
        path = parent + "/supervisor-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ text: String, _ name: String, mode: Int = 0o644) {
        _ = FileManager.default.createFile(
            atPath: self(name), contents: Data(text.utf8), attributes: [.posixPermissions: mode])
    }

    func text(_ name: String) -> String? {
        FileManager.default.contents(atPath: self(name)).map { String(decoding: $0, as: UTF8.self) }
    }
}
