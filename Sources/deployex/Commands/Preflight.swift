internal import Deployment
internal import ExternalTermFormat
internal import Transport

extension Verb {
    static let preflight = Verb(
        name: "preflight",
        forms: ["preflight VERSION [--instance INSTANCE] [--app APPLICATION] [--json]"],
        summary: "say whether a version would be a hot upgrade, and why not",
        details: """
            Unpacks the package beside the instance's release, lets the new release make its configuration
            and the relup, asks the instance's node, and says what a deployment would do. Nothing is
            deployed, and what was unpacked is removed. Without --instance it looks at all of them.
            Exit status: 0 a hot upgrade at every instance, 1 not at each, or the version cannot be had.
            """,
        argumentCount: 1...1,
        ownOptions: [.json, Option("--instance", "INSTANCE", "which one (default: all)")],
        peer: .deployex, concernsApplication: true, askedWords: .versions
    ) { (arguments) throws(UsageError) in
        PreflightVersion(
            version: try arguments.version(), instance: arguments.values["--instance"],
            asJSON: arguments.has("--json"))
    }
}

/// `deployex preflight VERSION [--instance INSTANCE] [--json]`
struct PreflightVersion: Command {
    let version: String
    /// `2` or `counter-2`; `nil` for all.
    var instance: String?
    var asJSON = false

    /// A large package and a slow provider take their time.
    private static let patience = Duration.seconds(600)

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        let names = try await setting.instances(instance, client)
        var reports: [Term] = []
        var status = ExitCode.done
        let progress = Progress.isOnTerminal ? Progress(on: client.context.loop) : nil
        defer { progress?.clear() }
        for (name, arguments) in names {
            progress?.show("\(name): looking at \(version)")
            let answer = try await client.call(
                "preflight", arguments + [version.term],
                timeout: max(Self.patience, client.context.timeout))
            progress?.clear()
            let report = PreflightReport(reading: answer)
            reports.append(answer)
            if report.result != "hot_upgrade" { status = ExitCode.refused }
            guard !asJSON else { continue }
            for line in PreflightText(report, within: TextColumns.available).lines {
                Output.line(line)
            }
        }
        if asJSON { Output.line(Term.list(reports).json) }
        if names.isEmpty {
            Output.error("there is no instance to look at")
            status = ExitCode.refused
        }
        return .exit(status)
    }
}

/// What a version would do to one instance, for people.
struct PreflightText {
    private(set) var lines: [StyledLine] = []

    init(_ report: PreflightReport, within columns: Int?) {
        var text = LabelledLines(within: columns)
        text.title(
            "\(report.instance ?? "-")  \(report.from ?? "nothing") to \(report.version ?? "-")")
        switch report.result {
        case "hot_upgrade"?: text.add("result", "hot upgrade")
        case "full_deployment"?: text.add("result", "full deployment")
        case "none"?: text.add("result", "it would not be deployed")
        case let other: text.add("result", other ?? "-")
        }
        text.add("because", report.reason)
        if let modules = report.modules {
            text.add("added", Self.text(modules.added))
            text.add("changed", Self.text(modules.changed))
            text.add("removed", Self.text(modules.removed))
            text.add("loaded", Self.text(modules.loaded))
            text.add("suspended", Self.text(modules.suspended))
            text.add("lingering", Self.text(modules.lingering))
        }
        if let count = report.processes?.supervised {
            text.add(
                "processes",
                "\(count) supervised, of which \(report.processes?.suspended ?? 0) wait while code is "
                    + "exchanged")
        }
        lines = text.lines
    }

    private static let listedCount = 20

    private static func text(_ names: [String]) -> String? {
        guard !names.isEmpty else { return nil }
        let rest = names.count - listedCount
        return "\(names.count): " + names.prefix(listedCount).joined(separator: ", ")
            + (rest > 0 ? ", … and \(rest) more" : "")
    }
}
