internal import FoundationEssentials

/// The parts that all of minisign's files have in common: lines, comments, and numbers in base64.
///
/// Source: https://jedisct1.github.io/minisign/, "Signature format" and the following.
enum MinisignFile {
    static let untrustedPrefix = "untrusted comment: "
    static let trustedPrefix = "trusted comment: "

    /// What stands before keys and signatures of Ed25519.
    static let algorithm = Array("Ed".utf8)
    /// What stands before a signature of the file's BLAKE2b-512 instead of the file.
    static let prehashedAlgorithm = Array("ED".utf8)

    /// The lines without their ends; `nil` if one is not UTF-8 or has control characters but tabs. An end of
    /// line at the end of the text ends the last line.
    static func lines(_ bytes: [UInt8]) -> [String]? {
        var lines: [String] = []
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            let line = line.last == 0x0D ? line.dropLast() : line
            guard let text = String(validating: line, as: UTF8.self),
                text.unicodeScalars.allSatisfy({ scalar in
                    // minisign's usual comment has a tab.
                    scalar == "\t" || scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value)
                })
            else { return nil }
            lines.append(text)
        }
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    /// The bytes that a line in base64 stands for, if it is written in the one way that there is.
    static func bytes(_ line: String, count: Int) -> [UInt8]? {
        guard line.utf8.count == (count + 2) / 3 * 4, let data = Data(base64Encoded: line),
            data.count == count, data.base64EncodedString() == line
        else { return nil }
        return Array(data)
    }

    static func text(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// A key's number as minisign shows it.
    static func text(ofID id: [UInt8]) -> String {
        id.reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }
            .joined()
    }
}
