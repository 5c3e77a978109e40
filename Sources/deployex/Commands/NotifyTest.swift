internal import AWS
internal import ErlDist
internal import Glibc
internal import Notifications
internal import Transport

extension Verb {
    static let notifying = [
        Verb(
            name: "notify-test", forms: ["notify-test [--sink NAME] [--config FILE]"],
            summary: "send a test to whom deployex notifies",
            details: """
                Sends a test event to the webhook, to Slack and to PagerDuty, as far as they are configured
                by the same variables, files and secrets as for `deployex start`, and prints what each
                answered. It tries each once, and needs no running deployex.
                Exit status: 0 all have taken it, 1 one has not.
                """,
            ownOptions: [
                Option("--sink", "NAME", "only this one: webhook, slack or pagerduty"),
                Option("--config", "FILE", "the configuration file (default: DEPLOYEX_CONFIG)"),
            ]
        ) { (arguments) throws(UsageError) in
            let sink = arguments.values["--sink"]
            if let sink, !NotifyTest.names.contains(sink.lowercased()) {
                throw arguments.failure(
                    "no receiver is called \(sink): webhook, slack or pagerduty")
            }
            return NotifyTest(
                sink: sink?.lowercased(), configurationFile: arguments.values["--config"])
        }
    ]
}

/// `deployex notify-test`
struct NotifyTest: Command {
    static let names = ["webhook", "slack", "pagerduty"]

    /// The only receiver that is meant.
    var sink: String?
    var configurationFile: String?

    func run(_ setting: CommandSetting) async throws -> Ending {
        let sinks = try await sinks(setting)
        let client = try Notifier.client(setting.environment, setting.loop)
        let now = setting.loop.secondsSince1970
        let host = await HostName.current(usesLongNames: false, on: setting.loop)
        let name = try host.nodeName("deployex", usesLongNames: false).host
        let event = NotificationEvent(
            .test, host: name, subject: "test", mark: "\(now) \(getpid())", at: now)
        var status = ExitCode.done
        for sink in sinks {
            switch await NotificationTrial.send(event, to: sink, by: client, at: now) {
            case .taken(let code): Output.line("\(sink): taken (status \(code))")
            case .refused(let code, let text):
                status = ExitCode.refused
                Output.error("\(sink): status \(code)" + (text.isEmpty ? "" : ": \(text)"))
            case .unreachable(let reason):
                status = ExitCode.refused
                Output.error("\(sink): \(reason)")
            }
        }
        return .exit(status)
    }

    /// Those that are meant, as `deployex start` would find them.
    private func sinks(_ setting: CommandSetting) async throws -> [NotificationSink] {
        var environment = setting.environment
        let application = "DEPLOYEX_MONITORED_APP_NAME"
        let named = [application, "DEPLOYEX_CONFIG", "DEPLOYEX_CLOUD_ENVIRONMENT"].contains {
            environment[$0]?.isEmpty == false
        }
        // The variables of the receivers alone are enough.
        if configurationFile == nil, !named { environment[application] = "any" }
        let secrets = StartSecrets(
            configurationFile: configurationFile, setting.invocation.distribution,
            environment: environment, loop: setting.loop)
        let configuration: ServerConfiguration
        do {
            configuration = try await secrets.again().1
        } catch let error as SecretsError {
            throw CommandFailure("\(error)")
        }
        let found = try await offload { () throws(UsageError) in
            try configuration.notifications.readSinks()
        }
        let sinks = found.filter { sink == nil || "\($0)".lowercased() == sink }
        guard !sinks.isEmpty else {
            throw UsageError(
                "\(sink ?? "nobody to be told") is not configured: see docs/notifications.md",
                "notify-test")
        }
        return sinks
    }
}
