internal import Deployment
internal import ExternalTermFormat
internal import Transport

extension Verb {
    static let verifying = [
        Verb(
            name: "verify", forms: ["verify [INSTANCE] [--app APPLICATION] [--json]"],
            summary: "compare files and loaded code with the package",
            details: """
                Compares the files of the instance's release with those of the package that was deployed,
                and each module that its node has loaded with the package's. Without INSTANCE it verifies
                all of them. It names what is missing, changed, or in no package.
                Exit status: 0 all is as published, 1 something differs, 4 nothing differs, but not
                everything could be checked.
                """,
            argumentCount: 0...1, ownOptions: [.json], peer: .deployex, concernsApplication: true,
            askedWords: .instances
        ) { (arguments) throws(UsageError) in
            VerifyInstances(
                instance: arguments.positional.isEmpty ? nil : try arguments.instance(),
                asJSON: arguments.has("--json"))
        }
    ]
}

/// `deployex verify [INSTANCE] [--json]`
struct VerifyInstances: Command {
    /// `2` or `counter-2`; `nil` for all.
    let instance: String?
    var asJSON = false

    /// Large packages on slow disks take their time.
    private static let patience = Duration.seconds(600)

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        let calls = try await setting.instances(instance, client)
        var reports: [Term] = []
        var status = ExitCode.done
        for (name, arguments) in calls {
            let answer: Term
            do throws(CommandFailure) {
                answer = try await verify(name, arguments, client)
            } catch {
                guard instance == nil, error.exitCode == ExitCode.refused else { throw error }
                Output.error("\(name): \(error.message)")
                if status == ExitCode.done { status = ExitCode.unverified }
                continue
            }
            let report = VerificationReport(reading: answer)
            reports.append(answer)
            if !asJSON {
                for line in VerificationText(report, within: TextColumns.available).lines {
                    Output.line(line)
                }
            }
            switch report.result {
            case "published"?: break
            case "incomplete"?: if status == ExitCode.done { status = ExitCode.unverified }
            default: status = ExitCode.refused
            }
        }
        if asJSON { Output.line(Term.list(reports).json) }
        if calls.isEmpty {
            Output.error("there is no instance to verify")
            status = ExitCode.unverified
        }
        return .exit(status)
    }

    private func verify(
        _ name: String, _ arguments: [Term], _ client: ControlClient
    ) async throws(CommandFailure) -> Term {
        guard Progress.isOnTerminal else {
            return try await client.call(
                "verify", arguments, timeout: max(Self.patience, client.context.timeout))
        }
        let progress = Progress(on: client.context.loop)
        defer { progress.clear() }
        progress.show("\(name): comparing files and loaded code with the package")
        return try await client.call(
            "verify", arguments, timeout: max(Self.patience, client.context.timeout))
    }
}

extension CommandSetting {
    /// What a question about an instance, or about all of them, is called for, and its arguments.
    /// - Parameter instance: `2` or `counter-2`; `nil` for all.
    func instances(
        _ instance: String?, _ client: ControlClient
    ) async throws(CommandFailure) -> [(name: String, arguments: [Term])] {
        let application = invocation.application
        if let instance {
            return [(instance, [application, instance].compactMap { $0?.term })]
        }
        var calls: [(name: String, arguments: [Term])] = []
        for found in try await client.status(of: application).applications {
            for instance in found.instances {
                guard let name = found.name, let number = instance.number else { continue }
                calls.append(("\(name)-\(number)", [name.term, number.term]))
            }
        }
        return calls
    }
}

/// What was found of one instance, for people.
struct VerificationText {
    private(set) var lines: [StyledLine] = []

    init(_ report: VerificationReport, within columns: Int?) {
        var text = LabelledLines(within: columns)
        let kind = report.deployment == "hot_upgrade" ? ", upgraded in place" : ""
        text.title("\(report.instance ?? "-")  \(report.version ?? "-")\(kind)")
        text.add("package", report.package)
        text.add("sha256", report.sha256.map { Self.text(sha256: $0, report.publishedSHA256) })
        text.add("signature", report.signature)
        text.add("files", report.files.map(Self.text))
        text.add("modules", report.modules.map(Self.text))
        for problem in report.problems { text.add("wrong", problem) }
        if let files = report.files {
            for path in files.missing { text.add("missing", path) }
            for path in files.changed { text.add("changed", path) }
            for path in files.extra { text.add("extra", path) }
        }
        if let modules = report.modules {
            for module in modules.changed { text.add("other code", module) }
            for module in modules.unpublished { text.add("unpublished", module) }
            for module in modules.elsewhere { text.add("elsewhere", module) }
        }
        for unchecked in report.unchecked { text.add("unchecked", unchecked) }
        text.add("result", Self.result(report))
        lines = text.lines
    }

    private static func text(sha256: String, _ published: String?) -> String {
        switch published {
        case nil: "\(sha256); none was published to compare it with"
        case sha256?: "\(sha256), as published"
        default: sha256
        }
    }

    private static func text(_ files: VerificationReport.Files) -> String {
        var parts = ["\(files.same ?? 0) as in the package"]
        if let count = files.earlier, count > 0 {
            parts.append("\(count) of the releases before it")
        }
        if let count = files.own, count > 0 {
            parts.append("\(count) written by deployex or the release, not compared")
        }
        if let count = files.differing, count > 0 { parts.append("\(count) not as published") }
        return parts.joined(separator: ", ")
    }

    private static func text(_ modules: VerificationReport.Modules) -> String {
        var parts = ["\(modules.same ?? 0) loaded with the package's code"]
        if let count = modules.emulator, count > 0 {
            parts.append("\(count) of the emulator itself")
        }
        if let count = modules.differing, count > 0 { parts.append("\(count) not as published") }
        return parts.joined(separator: ", ")
    }

    private static func result(_ report: VerificationReport) -> String {
        switch report.result {
        case "published"?: "all that was compared is as published"
        case "incomplete"?: "nothing differs, but not everything could be checked"
        case "different"?: "not as published"
        case let other: other ?? "-"
        }
    }
}
