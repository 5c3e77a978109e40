internal import ErlDist
internal import ExternalTermFormat
internal import Transport

/// Asks the deployex node, by the same calls that any other node may make.
struct ControlClient {
    let context: CommandContext
    let name: NodeName

    /// - Parameter target: the node's name; `deployex` on this host when `nil`.
    init(_ context: CommandContext, target: String?) throws(UsageError) {
        self.context = context
        name = try context.name(target ?? "deployex")
    }

    func status() async throws(CommandFailure) -> Term {
        try await context.call(name, "deployex", "status")
    }

    /// What a function answers beside `ok`.
    /// - Throws: ``CommandFailure`` with its text when it answers `error`.
    func call(
        _ function: Atom, _ arguments: [Term], timeout: Duration? = nil
    ) async throws(CommandFailure) -> Term {
        let answer = try await context.call(
            name, "deployex", function, arguments, timeout: timeout)
        guard case .tuple(let fields) = answer, fields.count == 2 else { return answer }
        switch fields[0].asAtom?.name {
        case "ok": return fields[1]
        case "error":
            throw CommandFailure(
                fields[1].asText ?? fields[1].description, exitCode: ExitCode.refused)
        default: return answer
        }
    }
}
