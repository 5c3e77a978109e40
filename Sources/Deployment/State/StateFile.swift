internal import FoundationEssentials
internal import Supervisor

/// Small JSON files of deployex's own, each written as a whole. All of it blocks.
enum StateFile {
    enum Content<Value> {
        case absent
        case found(Value)
        case damaged
    }

    static func bytes(of value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("Strings and integers encode as JSON")
        }
    }

    static func read<Value: Decodable>(
        _ type: Value.Type, _ path: String, limit: Int, files: any FileSystem
    ) throws(FileSystemError) -> Content<Value> {
        let bytes: [UInt8]
        do throws(FileSystemError) {
            bytes = try files.read(path, limit: limit)
        } catch {
            if error.isNotFound { return .absent }
            guard case .tooLarge = error else { throw error }
            return .damaged
        }
        do {
            return .found(try JSONDecoder().decode(type, from: Data(bytes)))
        } catch {
            return .damaged
        }
    }

    /// As ``read(_:_:limit:files:)``; a damaged file becomes `….damaged`, to be looked at, and a line in
    /// `findings` says so.
    static func take<Value: Decodable>(
        _ type: Value.Type, _ path: String, limit: Int, files: any FileSystem,
        findings: inout [String]
    ) throws(FileSystemError) -> Value? {
        switch try read(type, path, limit: limit, files: files) {
        case .absent: return nil
        case .found(let value): return value
        case .damaged:
            let aside = path + ".damaged"
            findings.append("\(path) is damaged: it is kept as \(aside)")
            try files.removeTree(aside)
            try files.rename(path, to: aside)
            return nil
        }
    }
}
