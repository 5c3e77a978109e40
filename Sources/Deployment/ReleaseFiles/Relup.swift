internal import ExternalTermFormat
internal import Supervisor

/// The script that leads a node from one release to another: `releases/VERSION/relup`.
///
/// Source: relup(4), SASL:
/// `{Vsn, [{UpFromVsn, Descr, Instructions}…], [{DownToVsn, Descr, Instructions}…]}.`
struct Relup: Equatable, Sendable {
    /// A relup that loads 100,000 modules has a few megabytes.
    static let maximumByteCount = 16 << 20

    private struct Upgrade: Equatable {
        var from: String
        var instructions: [Term]
    }

    private var upgrades: [Upgrade]

    init(_ bytes: [UInt8]) throws(FileSystemError) {
        let terms = try ErlangFile.terms(bytes)
        guard terms.count == 1, let parts = terms[0].asTuple, parts.count == 3,
            let list = parts[1].asList
        else { throw .unusable("it is no relup") }
        upgrades = []
        for element in list {
            guard let entry = element.asTuple, entry.count == 3, let from = entry[0].asText,
                let instructions = entry[2].asList
            else { throw .unusable("it is no relup") }
            upgrades.append(Upgrade(from: from, instructions: instructions))
        }
    }

    func leads(from version: String) -> Bool {
        upgrades.contains { $0.from == version }
    }

    /// The modules that it loads on the way from `version`.
    func loadedModules(from version: String) -> Set<String> {
        Set(
            instructions(from: version).compactMap { parts in
                guard parts.first == .atom("load"), parts.count == 2 else { return nil }
                return parts[1].asTuple?.first?.asAtom?.name
            })
    }

    /// The modules whose processes wait while code is exchanged, on the way from `version`.
    func suspendedModules(from version: String) -> Set<String> {
        Set(
            instructions(from: version).flatMap { parts -> [String] in
                guard parts.first == .atom("suspend"), let modules = parts.last?.asList else {
                    return []
                }
                return modules.compactMap { ($0.asTuple?.first ?? $0).asAtom?.name }
            })
    }

    /// The modules whose processes change their code on the way from `version`: a supervisor then
    /// asks its module for its children again.
    func changedProcesses(from version: String) -> Set<String> {
        Set(
            instructions(from: version).flatMap { parts -> [String] in
                guard parts.first == .atom("code_change"), let modules = parts.last?.asList else {
                    return []
                }
                return modules.compactMap { $0.asTuple?.first?.asAtom?.name }
            })
    }

    /// Whether it starts an application on the way from `version`, as after a restart of it.
    func starts(_ application: String, from version: String) -> Bool {
        instructions(from: version).contains { parts in
            guard parts.first == .atom("apply"), parts.count == 2,
                let call = parts[1].asTuple, call.count == 3, call[0] == .atom("application"),
                call[1] == .atom("start") || call[1] == .atom("ensure_all_started")
            else { return false }
            return call[2].asList?.first?.asAtom?.name == application
        }
    }

    /// The instructions that are tuples.
    private func instructions(from version: String) -> [[Term]] {
        upgrades.filter { $0.from == version }.flatMap(\.instructions).compactMap(\.asTuple)
    }

    /// Whether the node would leave its operating system process or start its applications anew.
    func restartsEmulator(from version: String) -> Bool {
        upgrades.contains { upgrade in
            upgrade.from == version
                && upgrade.instructions.contains {
                    $0 == .atom("restart_new_emulator") || $0 == .atom("restart_emulator")
                }
        }
    }

    /// The relup with one more instruction, which comes first on the way from `version`.
    static func adding(
        _ instruction: Term, to relup: Term, from version: String
    ) throws(FileSystemError) -> Term {
        guard var parts = relup.asTuple, parts.count == 3, let upgrades = parts[1].asList else {
            throw .unusable("it is no relup")
        }
        parts[1] = .list(
            upgrades.map { upgrade in
                guard var fields = upgrade.asTuple, fields.count == 3,
                    fields[0].asText == version, let instructions = fields[2].asList
                else { return upgrade }
                fields[2] = .list([instruction] + instructions)
                return .tuple(fields)
            })
        return .tuple(parts)
    }
}
