internal import Glibc

/// A folder of a test's own, for its owner alone. It goes when the test does.
package final class TemporaryFolder: Sendable {
    /// Its path, without symbolic links.
    package let path: String

    /// - Parameters:
    ///   - purpose: a part of its name.
    ///   - parent: where it is made, such as on another file system.
    package init(
        _ purpose: String = "test", in parent: String = ThisHost.temporaryFolder
    ) {
        path = Self.make(purpose, in: parent)
    }

    /// Makes a folder that is there until somebody removes it.
    static func make(
        _ purpose: String, in parent: String = ThisHost.temporaryFolder
    ) -> String {
        var template = Array("\(parent)/deployex-\(purpose)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil, let real = realpath(template, nil) else {
            fatalError("no folder can be made in \(parent): errno \(errno)")
        }
        defer { free(real) }
        return String(cString: real)
    }

    deinit {
        Files.remove(path)
    }

    /// The path of something in it.
    package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    package func write(_ text: String, _ name: String, mode: UInt32 = 0o644) {
        do {
            try Files.write(Array(text.utf8), self(name), mode: mode)
        } catch {
            fatalError("\(error)")
        }
    }

    /// What a file says; `nil` when there is none.
    package func text(_ name: String) -> String? {
        Files.exists(self(name)) ? Files.text(self(name)) : nil
    }
}
