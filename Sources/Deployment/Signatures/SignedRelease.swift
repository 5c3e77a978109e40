internal import Transport

/// What a signature says of a package in its trusted comment, so that the signature of one release
/// is none of another:
///
///     app:counter version:1.2.0 sha256:9f86d081…
///
/// If pre-commands belong to the release, ` pre_commands:` and the SHA-256 of their lines follow:
/// `current.json` names them, and nobody signs that.
package struct SignedRelease: Equatable, Sendable {
    package var application: String
    package var version: String
    /// In lower-case hexadecimal digits.
    package var sha256: String
    /// The SHA-256 of the pre-commands, each with an end of line; `nil` if there are none.
    package var preCommands: String?

    package init(
        application: String, version: String, sha256: String, preCommands: [String] = []
    ) {
        self.application = application
        self.version = version
        self.sha256 = sha256
        guard !preCommands.isEmpty else { return }
        let lines = preCommands.map { $0 + "\n" }.joined()
        self.preCommands = Digest.text(Digest.sha256(Array(lines.utf8)))
    }

    private static let names = ["app", "version", "sha256", "pre_commands"]

    /// What a comment says; `nil` if it does not say exactly this.
    package init?(comment: String) {
        let words = comment.split(separator: " ", omittingEmptySubsequences: false)
        guard (3...4).contains(words.count) else { return nil }
        var values: [String] = []
        for (word, name) in zip(words, Self.names) {
            guard word.hasPrefix(name + ":") else { return nil }
            values.append(String(word.dropFirst(name.count + 1)))
        }
        guard Self.isApplication(values[0]), Release.isVersion(values[1]),
            values.dropFirst(2).allSatisfy({ Release.isSHA256($0) && $0 == $0.lowercased() })
        else { return nil }
        application = values[0]
        version = values[1]
        sha256 = values[2]
        preCommands = values.count == 4 ? values[3] : nil
    }

    /// The trusted comment.
    package var comment: String {
        let values = [application, version, sha256] + (preCommands.map { [$0] } ?? [])
        return zip(Self.names, values).map { "\($0):\($1)" }.joined(separator: " ")
    }

    /// Whether an application of this name can be signed.
    package static func isApplication(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || byte == UInt8(ascii: "_")
            }
    }
}
