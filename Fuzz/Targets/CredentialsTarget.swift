@testable import AWS

/// AWS's shared files, the words of a command, and answers that hold credentials or secrets.
enum CredentialsTarget {
    static func check(_ bytes: [UInt8]) throws {
        try checkFile(bytes)
        try checkWords(String(decoding: bytes, as: UTF8.self))
        // One after the other: the compiler of Swift 6.3 crashes at an array of the three functions.
        let answers = [
            try? CredentialsAnswer.ofServer(bytes, "p"),
            try? CredentialsAnswer.ofProcess(bytes, "p"), try? CredentialsAnswer.ofSTS(bytes, "p"),
        ]
        for found in answers.compactMap(\.self) {
            let parts = [found.accessKeyID, found.secretAccessKey, found.sessionToken ?? "-"]
            try require(
                parts.allSatisfy { part in
                    !part.isEmpty && part.utf8.allSatisfy { 0x21...0x7E ~= $0 }
                }, "credentials that end a line")
        }
        _ = try? SecretValues(answer: bytes, "p").value(of: "K")
    }

    /// What is read of a file is written as a file that says the same.
    private static func checkFile(_ bytes: [UInt8]) throws {
        guard let file = try? SharedConfigFile(bytes) else { return }
        var text = ""
        for (section, values) in file.sections {
            text += "[\(section)]\n"
            for (key, value) in values {
                let lines = value.split(separator: "\n", omittingEmptySubsequences: false)
                text += "\(key) = " + lines.joined(separator: "\n ") + "\n"
            }
        }
        try require(try SharedConfigFile(Array(text.utf8)) == file, "another file: \(text)")
        let profiles = SharedProfiles(config: file, credentials: file)
        for name in file.sections.keys.sorted().prefix(4) + ["default"] {
            _ = try? CredentialsOrder(environment: ["AWS_PROFILE": name]).plan(
                profiles, places: "p")
        }
    }

    /// Words in quotes are the same words.
    private static func checkWords(_ text: String) throws {
        guard let words = try? CommandWords.split(text) else { return }
        let quoted = words.map { "'" + $0.replacing("'", with: "'\"'\"'") + "'" }
        try require(
            try CommandWords.split(quoted.joined(separator: " ")) == words, "other words: \(quoted)"
        )
    }
}
