internal import Deployment
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
            // As long as a version may need to become ready, and some more.
            patience: .seconds(1800), words: { ["auto"] }, askedWords: .versions,
            read: { (arguments) throws(UsageError) in
                Order("deploy", try arguments.version(), waits: arguments.waits)
            }),
        Verb(
            name: "rollback", forms: ["rollback [--app APPLICATION] [--no-wait]"],
            summary: "go back to the version before, and do not deploy this one again",
            details: "The version that runs is ghosted; the one before it comes to all instances.",
            peer: .deployex, concernsApplication: true, patience: .seconds(1800)
        ) { Order("rollback", waits: $0.waits) },
        Verb(
            name: "unghost", forms: ["unghost VERSION [--app APPLICATION]"],
            summary: "let a version be deployed again",
            details:
                "VERSION may be deployed again, which happens at once where it is the one to run.",
            argumentCount: 1...1, peer: .deployex, concernsApplication: true, askedWords: .versions
        ) { (arguments) throws(UsageError) in
            Order("unghost", try arguments.version(), waits: false)
        },
        Verb(
            name: "restart",
            forms: ["restart INSTANCE|APPLICATION|all [--app APPLICATION] [--no-wait]"],
            summary: "restart an instance, or several in turn",
            details: instanceNote + """

                With an APPLICATION, or with all, it restarts one instance after the other, each when
                the one before is ready. It leaves out what `deployex stop` has stopped.
                """,
            argumentCount: 0...1, ownOptions: [Option("--all", "as all: every instance, in turn")],
            peer: .deployex, concernsApplication: true, patience: .seconds(120),
            words: allWord, askedWords: .targets
        ) { (arguments) throws(UsageError) in
            switch try arguments.target() {
            case .instance(let text)?: return Order("restart", text, waits: arguments.waits)
            case .all(let application)?:
                guard arguments.waits else {
                    throw arguments.failure(
                        "--no-wait is for one instance: the next of several waits for the one before"
                    )
                }
                return GroupOrder(function: .restart, application: application)
            case nil:
                throw arguments.failure(
                    "restart takes an instance, an application, or all for every instance")
            }
        },
        Verb(
            name: "stop",
            forms: [
                "stop INSTANCE|APPLICATION [--app APPLICATION] [--no-wait]",
                "stop --all [--no-wait]",
            ],
            summary: "stop an instance, an application, or everything",
            details: instanceNote + """

                An APPLICATION is all its instances; deployex goes on. --all stops every instance of
                every application, then deployex itself, and the EPMD that it has started, if no node is
                left in it. It also works when deployex does not run.
                """,
            argumentCount: 0...1,
            ownOptions: [Option("--all", "stop every instance, and then deployex")],
            peer: .deployex, concernsApplication: true, patience: .seconds(120),
            askedWords: .targets, read: stop),
    ]

    private static func stop(_ arguments: Arguments) throws(UsageError) -> any Command {
        // Two commands that look alike must not do different things.
        guard arguments.positional.first != "all" else {
            throw arguments.failure(
                "stop all could mean two things: `deployex stop --all` stops every instance and then "
                    + "deployex itself; `deployex stop APPLICATION` stops an application, and "
                    + "deployex goes on")
        }
        switch try arguments.target() {
        case .instance(let text)?: return Order("stop", text, waits: arguments.waits)
        case .all(let application?)?:
            return GroupOrder(function: .stop, application: application, waits: arguments.waits)
        case .all(nil)?:
            if let application = arguments.values["--app"] {
                throw arguments.failure(
                    "--all stops every application, and then deployex: `deployex stop "
                        + "\(application)` stops one")
            }
            return StopAll(waits: arguments.waits)
        case nil:
            throw arguments.failure(
                "stop takes an instance, an application, or --all for everything and deployex "
                    + "itself")
        }
    }

    private static let instanceNote = """
        INSTANCE is a number, or a name such as counter-2. The command waits until it is seen in
        the status; --no-wait returns as soon as it has begun.
        """
}

/// A command that changes what runs.
struct Order: Command {
    /// The function of the module `deployex` that does it.
    let function: String
    /// A version, `auto`, or an instance by its number or its name.
    let subject: String?
    /// Whether to wait until the effect is seen.
    let waits: Bool

    init(_ function: String, _ subject: String? = nil, waits: Bool) {
        self.function = function
        self.subject = subject
        self.waits = waits
    }

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        let arguments = [setting.invocation.application, subject].compactMap { $0?.term }
        let (text, goal) = try await client.request(Atom(shortEnough: function), arguments)
        Output.line(text)
        if waits {
            Output.line(try await client.wait(for: goal, within: setting.invocation.patience))
        }
        return .done
    }
}

/// `deployex stop --all`
struct StopAll: Command {
    /// Whether to wait until nothing runs any more, or only until everything has begun to stop.
    let waits: Bool

    /// The result of one of the two calls to deployex.
    private enum Outcome {
        /// Everything is stopped, as this text says.
        case stopped(String)
        /// Everything has at least begun to stop.
        case begun
        /// Only the other call can tell.
        case unknown
    }

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        do {
            return try await run(client, setting)
        } catch let failure as CommandFailure {
            let isAbsent = client.context.local.record == nil || client.context.local.hasEnded
            guard client.isLocal, isAbsent, failure.exitCode == ExitCode.unreachable,
                let ending = try await runWithoutDeployex(client.context, setting)
            else { throw failure }
            return ending
        }
    }

    /// Stops what the records name.
    /// - Returns: `nil` if there is nothing to stop, or if a deployex runs that cannot be reached.
    private func runWithoutDeployex(
        _ context: CommandContext, _ setting: CommandSetting
    ) async throws -> Ending? {
        let local = context.local
        // What is to be stopped is what this one has left, wherever our node connects.
        let environment = local.completing(context.environment)
        if let owner = CommandTrust.owner(ofGivenFolder: local.base), owner != 0 {
            // What root writes there the user's deployex could not read.
            guard let user = UserDatabase.processUser(named: "\(owner)"), user.id == owner else {
                throw CommandFailure(
                    "\(local.base) belongs to uid \(owner), which is no user of this host")
            }
            let names = ["PATH", "LANG", "ERL_EPMD_PORT", "DEPLOYEX_STOP_TIMEOUT"]
            return .replacement(
                Replacement(
                    path: "/proc/self/exe", arguments: ["stop", "--all"],
                    environment: environment.filter { names.contains($0.key) }
                        .merging(user.variables) { $1 }
                        .merging(["DEPLOYEX_BASE_PATH": local.base]) { $1 },
                    user: user))
        }
        let absent = AbsentDeployex(
            local: local,
            timeout: try Settings([.variables(environment)]).value(.stopTimeout)?.duration(),
            epmd: try EPMDAccess.client(
                environment, loop: setting.loop,
                trust: try CommandTrust.listeners(environment, base: local.base)),
            loop: setting.loop)
        guard let text = try await absent.stopAll() else { return nil }
        Output.line(text)
        return .done
    }

    /// The answer comes when nothing runs any more. Until then, the command shows what is left.
    private func run(_ client: ControlClient, _ setting: CommandSetting) async throws -> Ending {
        let patience = setting.invocation.patience
        return try await withThrowingTaskGroup(of: Outcome.self) { group in
            group.addTask(executorPreference: setting.loop) {
                let answer = try await client.call("stop_all", [], timeout: patience)
                return .stopped(answer.asText ?? answer.description)
            }
            group.addTask(executorPreference: setting.loop) {
                try await watch(client, within: patience)
            }
            while let outcome = try await group.next() {
                if case .unknown = outcome { continue }
                group.cancelAll()
                // The progress line must be gone from the terminal before another line is printed.
                try? await group.waitForAll()
                if case .stopped(let text) = outcome { Output.line(text) }
                break
            }
            return .done
        }
    }

    /// Shows what is left until everything has begun to stop.
    /// - Throws: when the command waits for nothing more than this, and deployex answers but does
    ///   not show it.
    private func watch(
        _ client: ControlClient, within patience: Duration
    ) async throws(CommandFailure) -> Outcome {
        do throws(CommandFailure) {
            let goal = CommandGoal.allIdle(orStopping: !waits).term
            _ = try await client.wait(for: goal, within: patience)
        } catch {
            // A deployex that ends has already answered `stop_all`, or that call fails as well.
            guard waits || error.exitCode == ExitCode.unreachable else { throw error }
            return .unknown
        }
        return waits ? .unknown : .begun
    }
}
