internal import Deployment
internal import ExternalTermFormat

extension Verb {
    static let showing = [
        Verb(
            name: "status", aliases: ["ls", "list"],
            forms: ["status [--app APPLICATION] [--watch] [--json] [--node NODE]"],
            summary: "show what runs: versions, processes, restarts",
            details: """
                Asks the deployex node on this host (or --node) for its state. --json prints it as JSON.
                --watch shows it again at each change, until Ctrl-C: on a terminal in place, elsewhere as
                another table or JSON document.
                """,
            ownOptions: [Option("--watch", "show it again at each change (also -w)"), .json],
            peer: .deployex, concernsApplication: true
        ) { (arguments) -> any Command in
            let asJSON = arguments.has("--json")
            return arguments.has("--watch")
                ? WatchStatus(asJSON: asJSON, withUsage: false) : ShowStatus(asJSON: asJSON)
        },
        Verb(
            name: "versions", forms: ["versions [--app APPLICATION] [--json]"],
            summary: "show what was deployed, and what is not deployed again",
            details: """
                The history of deployments, newest first, and the versions that are ghosted: not
                deployed again until they are unghosted or published with another hash.
                """,
            ownOptions: [.json], peer: .deployex, concernsApplication: true
        ) { ShowVersions(asJSON: $0.has("--json")) },
    ]
}

/// `deployex status [--json]`
struct ShowStatus: Command {
    let asJSON: Bool

    func run(_ setting: CommandSetting) async throws -> Ending {
        let application = setting.invocation.application
        let answer = try await setting.client().call(
            "status", application.map { [.binary($0)] } ?? [])
        if asJSON {
            Output.line(answer.json)
        } else {
            let table = StatusTable(
                StatusReport(reading: answer), usesColours: Output.usesColours(),
                within: TextColumns.available)
            for line in table.lines { Output.line(line) }
        }
        return .done
    }
}

/// `deployex versions [--json]`
struct ShowVersions: Command {
    let asJSON: Bool

    func run(_ setting: CommandSetting) async throws -> Ending {
        let application = setting.invocation.application
        let answer = try await setting.client().call(
            "versions", application.map { [.binary($0)] } ?? [])
        if asJSON {
            Output.line(answer.json)
        } else {
            let table = VersionsTable(
                VersionsReport(reading: answer), within: TextColumns.available)
            for line in table.lines { Output.line(line) }
        }
        return .done
    }
}
