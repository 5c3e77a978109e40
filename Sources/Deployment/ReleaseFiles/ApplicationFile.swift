internal import ExternalTermFormat
internal import Supervisor

/// An application's own description: `lib/NAME-VERSION/ebin/NAME.app`.
///
/// Source: app(4), Kernel: `{application, Name, [{Key, Value}…]}.`
struct ApplicationFile: Sendable {
    private let keys: [Term]

    init(_ bytes: [UInt8]) throws(FileSystemError) {
        let parts = try ErlangFile.terms(bytes).first?.asTuple ?? []
        // Of any other term it reads nothing: no node would start with it.
        keys = parts.count == 3 ? parts[2].asList ?? [] : []
    }

    subscript(_ key: Atom) -> Term? {
        for case .tuple(let pair) in keys where pair.count == 2 && pair[0] == .atom(key) {
            return pair[1]
        }
        return nil
    }

    /// The atoms of a list.
    func names(_ key: Atom) -> [String] { (self[key]?.asList ?? []).compactMap { $0.asAtom?.name } }
}
