internal import Supervisor

/// The file `jellyfish.json`, which Jellyfish from version 0.2 on writes beside each appup that it
/// makes.
///
/// Source: `{"name", "type", "from", "to"}` in jellyfish's `gen_appup` task.
struct JellyfishMetadata: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        /// An application of the project: its versions are the release's.
        case project
        /// A library with versions of its own.
        case dependency
    }

    static let maximumByteCount = 1 << 16

    var name: String
    var kind: Kind
    var from: String
    var to: String
}

extension JellyfishMetadata {
    /// Reads the file. Without a type it is about a project, as in files from before there were
    /// types.
    init(json bytes: [UInt8]) throws(FileSystemError) {
        let fields: JSONValue?
        do { fields = try JSONReader.value(bytes) } catch { fields = nil }
        guard let name = fields?["name"]?.text, let from = fields?["from"]?.text,
            let to = fields?["to"]?.text
        else { throw .unusable("it is no JSON object with name, from and to") }
        let kind: Kind
        switch fields?["type"] {
        case nil, .null, .string("project"): kind = .project
        case .string("dependency"): kind = .dependency
        case .string(let other): throw .unusable("unknown type \(shortened(other))")
        case let other?: throw .unusable("its type is \(other.kind)")
        }
        self.init(name: name, kind: kind, from: from, to: to)
    }
}
