/// One of AWS's shared files, `config` or `credentials`: sections with keys and values. It does no
/// I/O.
///
/// It is read as botocore does, by the rules of Python's `configparser`: comments have a line of
/// their own, keys are without regard to case, and a line that is indented more than its key goes
/// on with the value.
struct SharedConfigFile: Equatable, Sendable {
    /// Why a file cannot be read. It never shows the line, which may hold a secret.
    enum Problem: Error, Equatable, CustomStringConvertible {
        case notUTF8
        case noSection(line: Int)
        case unfinishedSection(line: Int)
        case noValue(line: Int)

        var description: String {
            switch self {
            case .notUTF8: "it is not UTF-8"
            case .noSection(let line): "line \(line): there must be a [section] before it"
            case .unfinishedSection(let line): "line \(line): a section's name ends with ]"
            case .noValue(let line): "line \(line): KEY = VALUE is expected"
            }
        }
    }

    /// More than that of a file is not read.
    static let byteLimit = 256 << 10

    /// The values by section and key; of two equal keys the later one counts.
    private(set) var sections: [String: [String: String]] = [:]

    init() {}

    init(_ bytes: [UInt8]) throws(Problem) {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .notUTF8 }
        var section: String?
        /// The key that a further line may belong to, and how far it is indented.
        var key: (name: String, indent: Int)?
        var rest = bytes[...]
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        let lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let content = Self.trimmed(line)
            guard let first = content.first, !"#;".utf8.contains(first) else { continue }
            let indent = content.startIndex - line.startIndex
            if let name = section, let current = key, indent > current.indent {
                sections[name]?[current.name]? += "\n" + Self.text(content)
                continue
            }
            if first == UInt8(ascii: "[") {
                guard let end = content.lastIndex(of: UInt8(ascii: "]")),
                    end > content.startIndex + 1
                else { throw .unfinishedSection(line: index + 1) }
                let name = Self.text(content[(content.startIndex + 1)..<end])
                if sections[name] == nil { sections[name] = [:] }
                section = name
                key = nil
                continue
            }
            guard let section else { throw .noSection(line: index + 1) }
            guard let delimiter = content.firstIndex(where: { "=:".utf8.contains($0) }),
                delimiter > content.startIndex
            else { throw .noValue(line: index + 1) }
            let name = Self.text(Self.trimmed(content[..<delimiter])).lowercased()
            sections[section]?[name] = Self.text(Self.trimmed(content[(delimiter + 1)...]))
            key = (name, indent)
        }
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        while let first = line.first, isBlank(first) { line.removeFirst() }
        while let last = line.last, isBlank(last) { line.removeLast() }
        return line
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || 0x09...0x0D ~= byte
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
