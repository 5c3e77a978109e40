internal import FoundationEssentials

/// deployex's own small JSON files. Each is written as a whole. Every call blocks.
package enum StateFile {
    package enum Content<Value> {
        case absent
        case found(Value)
        /// It is too long, or cannot be decoded.
        case damaged(reason: String)

        package var value: Value? {
            if case .found(let value) = self { value } else { nil }
        }
    }

    /// State files are small; anything larger is not one.
    package static let maximumByteCount = 64 << 10

    /// The value as JSON, with a line end.
    package static func bytes(of value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("Strings and integers encode as JSON")
        }
    }

    /// The value as JSON and spaces: a multiple of `slot` bytes, so that one value can overwrite
    /// another on a full disk.
    package static func bytes(of value: some Encodable, paddedTo slot: Int) -> [UInt8] {
        let json = bytes(of: value).dropLast()
        let rest = slot - 1 - json.count % slot
        return json + [UInt8](repeating: 0x20, count: rest) + [0x0A]
    }

    /// The value in these bytes.
    package static func content<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8]
    ) -> Content<Value> {
        do {
            return .found(try JSONDecoder().decode(type, from: Data(bytes)))
        } catch {
            return .damaged(reason: bytes.isEmpty ? "it is empty" : "it cannot be understood")
        }
    }

    /// The value in the file at `path`. A file of more than `limit` bytes counts as damaged.
    package static func read<Value: Decodable>(
        _ type: Value.Type, _ path: String, limit: Int = maximumByteCount, files: any FileSystem
    ) throws(FileSystemError) -> Content<Value> {
        let bytes: [UInt8]
        do throws(FileSystemError) {
            bytes = try files.read(path, limit: limit)
        } catch {
            if error.isNotFound { return .absent }
            guard case .tooLarge = error else { throw error }
            return .damaged(reason: "it is longer than \(limit) bytes")
        }
        return content(type, bytes)
    }

    /// As ``read(_:_:limit:files:)``, but sets a damaged file aside and adds a line to `findings`.
    package static func take<Value: Decodable>(
        _ type: Value.Type, _ path: String, limit: Int = maximumByteCount, files: any FileSystem,
        findings: inout [String]
    ) throws(FileSystemError) -> Value? {
        let content = try read(type, path, limit: limit, files: files)
        if case .damaged = content {
            findings.append("\(path) is damaged: it is kept as \(try files.setAside(path))")
        }
        return content.value
    }
}

extension FileSystem {
    /// Renames a damaged file to `….damaged`, durably, so that somebody can look at it. It replaces
    /// an older file of that name.
    /// - Returns: the file's new path.
    package func setAside(_ path: String) throws(FileSystemError) -> String {
        let aside = path + ".damaged"
        try removeTree(aside)
        try rename(path, to: aside)
        try synchronizeFolder(Self.folder(of: path))
        return aside
    }
}
