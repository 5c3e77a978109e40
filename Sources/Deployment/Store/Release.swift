/// A published release, as `current.json` names it.
///
/// ```json
/// {"version": "1.0.0", "hash": "local", "pre_commands": ["eval MyApp.Release.migrate"]}
/// ```
/// `version` becomes part of paths. It has 1 to 128 bytes of letters, digits and `._+~-`, begins
/// with a letter or a digit, and has no `..`. `hash` names the publication. Deployex demands it;
/// here a missing or null one is "". `pre_commands` may be missing. `sha256`, if given, is the
/// package's digest in 64 hexadecimal digits. Other keys are ignored.
package struct Release: Equatable, Hashable, Sendable, Codable {
    package let version: String
    package let hash: String
    /// The commands to run with `bin/APP` before the release is started, in order.
    package let preCommands: [String]
    /// The SHA-256 of the package in lower-case hexadecimal digits, if the publisher has said it.
    package let sha256: String?

    private enum CodingKeys: String, CodingKey {
        case version, hash, sha256
        case preCommands = "pre_commands"
    }

    package init(
        version: String, hash: String = "", preCommands: [String] = [], sha256: String? = nil
    ) throws(ReleaseError) {
        guard !version.isEmpty else { throw .emptyVersion }
        guard Self.isVersion(version) else { throw .invalidVersion(printable(version.utf8)) }
        guard hash.utf8.count <= 256, Self.isPrintable(hash) else { throw .invalidHash }
        guard preCommands.count <= 64,
            preCommands.allSatisfy({ command in
                !command.isEmpty && command.utf8.count <= 4096 && Self.isPrintable(command)
            })
        else { throw .invalidPreCommands }
        guard sha256.map(Self.isSHA256) ?? true else { throw .invalidSHA256 }
        self.version = version
        self.sha256 = sha256?.lowercased()
        self.hash = hash
        self.preCommands = preCommands
    }

    /// Decodes and checks. Missing values are treated as in ``init(parsing:)``.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            version: try container.decode(String.self, forKey: .version),
            hash: try container.decodeIfPresent(String.self, forKey: .hash) ?? "",
            preCommands: try container.decodeIfPresent([String].self, forKey: .preCommands) ?? [],
            sha256: try container.decodeIfPresent(String.self, forKey: .sha256))
    }

    /// The most bytes that a `current.json` may have.
    package static let maximumByteCount = 64 << 10

    /// The release that the bytes of a `current.json` name.
    package init(parsing bytes: [UInt8]) throws(ReleaseError) {
        guard bytes.count <= Self.maximumByteCount else { throw .tooLong(byteCount: bytes.count) }
        guard bytes.contains(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else {
            throw .empty
        }
        let json: JSONValue
        do {
            json = try JSONReader.value(bytes)
        } catch {
            switch error {
            case .endsTooEarly: throw .halfWritten
            case .unexpected(let offset), .tooDeep(let offset): throw .notJSON(offset: offset)
            }
        }
        guard case .object = json else { throw .notAnObject(found: json.kind) }
        try self.init(
            version: try Self.version(json["version"]), hash: try Self.hash(json["hash"]),
            preCommands: try Self.preCommands(json["pre_commands"]),
            sha256: try Self.sha256(json["sha256"]))
    }

    private static func version(_ value: JSONValue?) throws(ReleaseError) -> String {
        guard let value else { throw .missingVersion }
        guard case .string(let version) = value else {
            throw .wrongType(key: "version", found: value.kind)
        }
        return version
    }

    private static func hash(_ value: JSONValue?) throws(ReleaseError) -> String {
        switch value {
        case nil, .null: return ""
        case .string(let hash): return hash
        case .some(let value): throw .wrongType(key: "hash", found: value.kind)
        }
    }

    private static func sha256(_ value: JSONValue?) throws(ReleaseError) -> String? {
        switch value {
        case nil, .null: return nil
        case .string(let digest): return digest
        case .some(let value): throw .wrongType(key: "sha256", found: value.kind)
        }
    }

    /// Whether it is a SHA-256 in hexadecimal digits.
    package static func isSHA256(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
            }
    }

    private static func preCommands(_ value: JSONValue?) throws(ReleaseError) -> [String] {
        switch value {
        case nil, .null: return []
        case .array(let elements):
            return try elements.map { element throws(ReleaseError) in
                guard let command = element.text else {
                    throw .wrongType(key: "pre_commands", found: "an array with \(element.kind)")
                }
                return command
            }
        case .some(let value): throw .wrongType(key: "pre_commands", found: value.kind)
        }
    }

    /// The `current.json` that names it.
    package var published: [UInt8] {
        var members = [
            #""version":\#(Self.quoted(version))"#, #""hash":\#(Self.quoted(hash))"#,
        ]
        if !preCommands.isEmpty {
            let commands = preCommands.map(Self.quoted).joined(separator: ",")
            members.append(#""pre_commands":[\#(commands)]"#)
        }
        if let sha256 { members.append(#""sha256":\#(Self.quoted(sha256))"#) }
        return Array("{\(members.joined(separator: ","))}\n".utf8)
    }

    /// As a string in JSON. No text of a release has control characters.
    private static func quoted(_ text: String) -> String {
        "\"" + text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\""
    }

    /// Whether a version may become part of a path.
    package static func isVersion(_ version: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        let bytes = Array(version.utf8)
        guard let first = bytes.first, bytes.count <= 128, isAlphanumeric(first) else {
            return false
        }
        return bytes.allSatisfy { isAlphanumeric($0) || "._+~-".utf8.contains($0) }
            && !zip(bytes, bytes.dropFirst()).contains { $0 == 0x2E && $1 == 0x2E }
    }

    private static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) }
    }
}

/// Why bytes are not a `current.json`.
package enum ReleaseError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(byteCount: Int)
    /// The text ends too early: it is being written, or its writer died.
    case halfWritten
    case notJSON(offset: Int)
    case notAnObject(found: String)
    case missingVersion
    case emptyVersion
    case wrongType(key: String, found: String)
    /// It has characters that do not belong in a path, or `..`, or is too long.
    case invalidVersion(String)
    /// It has control characters, or is too long.
    case invalidHash
    /// There are too many, or one is too long, is empty, or has control characters.
    case invalidPreCommands
    /// It is not 64 hexadecimal digits.
    case invalidSHA256

    package var description: String {
        switch self {
        case .empty: "it is empty"
        case .tooLong(let byteCount):
            "it has \(byteCount) bytes, more than \(Release.maximumByteCount)"
        case .halfWritten: "it ends too early, as if half written"
        case .notJSON(let offset): "it is not JSON at byte \(offset)"
        case .notAnObject(let found): "it is \(found), not an object"
        case .missingVersion: "it has no `version`"
        case .emptyVersion: "its `version` is empty"
        case .wrongType(let key, let found): "its `\(key)` is \(found)"
        case .invalidVersion(let version):
            "its version `\(version)` must be letters, digits and `._+~-`, begin with a letter or a "
                + "digit, have no `..` and at most 128 characters"
        case .invalidHash: "its `hash` has control characters or more than 256 bytes"
        case .invalidPreCommands:
            "its `pre_commands` are more than 64, or one is empty, has control characters or more "
                + "than 4096 bytes"
        case .invalidSHA256: "its `sha256` is not 64 hexadecimal digits, as sha256sum prints them"
        }
    }
}
