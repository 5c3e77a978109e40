internal import Deployment
internal import ExternalTermFormat

extension Verb {
    static let showing = [
        Verb(
            name: "status", forms: ["status [--app APPLICATION] [--json] [--node NODE]"],
            summary: "show what runs: versions, processes, restarts",
            details: """
                Asks the deployex node on this host (or --node) for its state. --json prints it as JSON.
                """,
            ownOptions: [.json], peer: .deployex, concernsApplication: true
        ) { ShowStatus(asJSON: $0.has("--json")) },
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
