internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Supervisor
internal import Transport

extension Verb {
    static let changing = [
        Verb(
            name: "deploy", forms: ["deploy VERSION|auto [--app APPLICATION] [--no-wait]"],
            summary: "deploy a version and stay with it; auto follows current.json again",
            details: """
                The package of VERSION must be in the storage. The version stays until another one is
                deployed or `deployex deploy auto`. It waits until all instances run it; exit status 1
                when it was taken back instead, with the reason.
                """,
            argumentCount: 1...1, peer: .deployex, concernsApplication: true,
            // As long as a version may take to become ready, and some more.
            patience: .seconds(1800), words: { ["auto"] }, askedWords: .versions
        ) { (arguments) throws(UsageError) in
            Order(.deploy(try arguments.version()), waits: arguments.waits)
        },
        Verb(
            name: "rollback", forms: ["rollback [--app APPLICATION] [--no-wait]"],
            summary: "go back to the version before, and do not deploy this one again",
            details: "The version that runs is ghosted; the one before it comes to all instances.",
            peer: .deployex, concernsApplication: true, patience: .seconds(1800)
        ) { Order(.rollback, waits: $0.waits) },
        Verb(
            name: "unghost", forms: ["unghost VERSION [--app APPLICATION]"],
            summary: "let a version be deployed again",
            details:
                "VERSION may be deployed again, which happens at once where it is the one to run.",
            argumentCount: 1...1, peer: .deployex, concernsApplication: true, askedWords: .versions
        ) { (arguments) throws(UsageError) in
            Order(.unghost(try arguments.version()), waits: false)
        },
        Verb(
            name: "restart", forms: ["restart INSTANCE [--app APPLICATION] [--no-wait]"],
            summary: "restart an instance", details: instanceNote, argumentCount: 1...1,
            peer: .deployex, concernsApplication: true, patience: .seconds(120),
            askedWords: .instances
        ) { (arguments) throws(UsageError) in
            Order(
                .restart(try arguments.instance(arguments.positional[0])), waits: arguments.waits)
        },
        Verb(
            name: "stop", forms: ["stop INSTANCE|--all [--app APPLICATION] [--no-wait]"],
            summary: "stop an instance, or everything",
            details: instanceNote
                + "\n--all stops every instance of every application, and then deployex itself.",
            argumentCount: 0...1,
            ownOptions: [Option("--all", "stop every instance, and then deployex")],
            peer: .deployex, concernsApplication: true, patience: .seconds(120),
            askedWords: .instances
        ) { (arguments) throws(UsageError) in
            switch (arguments.positional.first, arguments.has("--all")) {
            case (let text?, false):
                return Order(.stop(try arguments.instance(text)), waits: arguments.waits)
            case (nil, true): return Order(.stopAll, waits: arguments.waits)
            case (nil, false), (_?, true):
                throw arguments.failure(
                    "stop takes an instance, or --all for every instance and deployex itself")
            }
        },
    ]

    private static let instanceNote = """
        INSTANCE is a number, or a name such as counter-2. The command waits until it is seen in
        the status; --no-wait returns as soon as it has begun.
        """
}

/// A command that changes what runs.
struct Order: Command {
    enum Kind: Equatable {
        /// A version, or `auto`.
        case deploy(String)
        case rollback
        case unghost(String)
        /// An instance by its number, or its name.
        case restart(String)
        case stop(String)
        case start(String)
        case stopAll
    }

    let kind: Kind
    /// Until the effect is seen.
    let waits: Bool

    init(_ kind: Kind, waits: Bool) {
        self.kind = kind
        self.waits = waits
    }

    func run(_ setting: CommandSetting) async throws -> Ending {
        .exit(
            try await ControlCommands(
                client: try setting.client(), application: setting.invocation.application,
                patience: setting.invocation.patience
            ).run(kind, waits: waits))
    }
}

/// The commands that change something.
struct ControlCommands {
    let client: ControlClient
    /// The application that is meant, where there are several.
    let application: String?
    /// How long to wait for an effect.
    let patience: Duration

    private static let pollInterval = Duration.milliseconds(200)

    func run(_ order: Order.Kind, waits: Bool) async throws -> Int32 {
        let before = StatusView(try await client.status())
        switch order {
        case .stopAll:
            return try await stopAll(waits: waits, within: patience)
        case .unghost(let version):
            let name = try before.directory.application(application).name
            try await ask("unghost", [.binary(name), .binary(version)])
            return ExitCode.done
        case .deploy(let version):
            let name = try before.directory.application(application).name
            try await ask("deploy", [.binary(name), .binary(version)])
            guard waits else { return ExitCode.done }
            return try await wait(
                for: .deploy(
                    version == "auto" ? nil : version, of: name,
                    after: StatusView(try await client.status())), within: patience)
        case .rollback:
            let name = try before.directory.application(application).name
            try await ask("rollback", [.binary(name)])
            guard waits else { return ExitCode.done }
            return try await wait(
                for: .deploy(nil, of: name, after: StatusView(try await client.status())),
                within: patience)
        case .restart(let text):
            let instance = try before.directory.instance(named: text, of: application)
            try await ask("restart", Self.arguments(instance))
            guard waits else { return ExitCode.done }
            return try await wait(for: .restart(instance, before: before), within: patience)
        case .stop(let text):
            let instance = try before.directory.instance(named: text, of: application)
            try await ask("stop", Self.arguments(instance))
            guard waits else { return ExitCode.done }
            return try await wait(for: .stop(instance), within: patience)
        case .start(let text):
            let instance = try before.directory.instance(named: text, of: application)
            try await ask("start", Self.arguments(instance))
            guard waits else { return ExitCode.done }
            return try await wait(for: .start(instance), within: patience)
        }
    }

    private static func arguments(_ instance: InstanceName) -> [Term] {
        [.binary(instance.app), .integer(instance.index)]
    }

    /// Prints what deployex answers.
    private func ask(_ function: Atom, _ arguments: [Term]) async throws(CommandFailure) {
        let answer = try await client.call(function, arguments)
        Output.line(answer.asText ?? answer.description)
    }

    private func wait(for goal: CommandGoal, within patience: Duration) async throws -> Int32 {
        var progress = Progress()
        defer { progress.clear() }
        let deadline = MonotonicTime.now + patience
        while true {
            let verdict = goal.judge(StatusView(try await client.status()))
            switch verdict {
            case .done(let text):
                progress.clear()
                Output.line(text)
                return ExitCode.done
            case .failed(let text):
                throw CommandFailure(text, exitCode: ExitCode.refused)
            case .waiting(let text):
                guard MonotonicTime.now < deadline else {
                    throw CommandFailure(
                        "\(text) after \(Self.text(patience)); deployex goes on with "
                            + "it: see `deployex status`", exitCode: ExitCode.refused)
                }
                progress.show(text)
            }
            await client.context.loop.sleep(for: Self.pollInterval)
        }
    }

    /// "120 s", "0.5 s"
    private static func text(_ duration: Duration) -> String {
        let seconds = duration.inSeconds
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }

    /// The answer comes when nothing runs any more; meanwhile the status tells how far it is.
    private func stopAll(waits: Bool, within patience: Duration) async throws -> Int32 {
        let stop = Task(executorPreference: client.context.loop) {
            try await client.call("stop_all", [], timeout: patience)
        }
        let watch = Task(executorPreference: client.context.loop) {
            await showStopping(untilBegun: !waits)
        }
        if !waits {
            await watch.value
            return ExitCode.done
        }
        let answer = await stop.result
        watch.cancel()
        await watch.value
        let text = try answer.get()
        Output.line(text.asText ?? text.description)
        return ExitCode.done
    }

    /// Until it is cancelled, nothing runs or deployex answers no more.
    private func showStopping(untilBegun: Bool) async {
        var progress = Progress()
        defer { progress.clear() }
        while !Task.isCancelled, let status = try? await client.status(), !Task.isCancelled {
            let instances = StatusView(status).applications.flatMap { application in
                application.instances.map { (name: application.name, instance: $0) }
            }
            let left = instances.filter { $0.instance.status != "idle" }
            if left.isEmpty { return }
            if untilBegun, left.allSatisfy({ $0.instance.status == "stopping" }) { return }
            progress.show(
                left.map { "\($0.name)-\($0.instance.number) is \($0.instance.status)" }
                    .joined(separator: ", "))
            await client.context.loop.sleep(for: Self.pollInterval)
        }
    }
}
