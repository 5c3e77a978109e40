internal import ExternalTermFormat

/// The answer of `release_handler:which_releases/0`: the releases that a node knows of.
///
/// Source: `[{Name, Vsn, [Lib], Status}]`, release_handler(3).
struct ReleaseList: Equatable, Sendable {
    enum Status: String, Equatable, Sendable {
        /// Its files are there.
        case unpacked
        /// It runs, but does not boot next.
        case current
        /// It boots next; it also runs, unless another release is `current`.
        case permanent
        /// It was permanent once.
        case old
    }

    struct Entry: Equatable, Sendable {
        var name: String
        var version: String
        var status: Status
    }

    /// More releases than any node has.
    static let maximumCount = 10_000

    var entries: [Entry]

    /// `nil` for anything that is not such a list.
    init?(_ term: Term) {
        guard let list = term.asList, list.count <= Self.maximumCount else { return nil }
        entries = []
        for element in list {
            guard let parts = element.asTuple, parts.count == 4, let name = parts[0].asText,
                let version = parts[1].asText, parts[2].asList != nil,
                let status = parts[3].asAtom.flatMap({ Status(rawValue: $0.name) })
            else { return nil }
            entries.append(Entry(name: name, version: version, status: status))
        }
    }

    /// The release whose code runs now.
    var running: Entry? {
        entries.first { $0.status == .current } ?? entries.first { $0.status == .permanent }
    }

    func status(of version: String) -> Status? {
        entries.first { $0.version == version }?.status
    }
}
