internal import Glibc
internal import Transport

extension Verb {
    static let server = [
        Verb(
            name: "start",
            forms: [
                "[start] [--config FILE] [--sname NAME | --name NAME@HOST] [--cookie COOKIE]",
                "start INSTANCE|APPLICATION|all [--app APPLICATION] [--no-wait]",
            ],
            summary: "run deployex in the foreground; with INSTANCE, start a stopped one",
            details: """
                Reads DEPLOYEX_MONITORED_APP_NAME and the other DEPLOYEX_ variables, or the JSON file
                that --config or DEPLOYEX_CONFIG names (see docs/configuration.md), watches
                current.json in the storage folder or bucket, and deploys what it names.
                SIGTERM or Ctrl-C ends deployex, and the applications go on; the next start takes them
                over. `deployex stop --all` ends them. SIGHUP opens deployex's own
                logs anew, and reads secrets again.
                `deployex start INSTANCE` starts an instance that `deployex stop` has stopped; an
                APPLICATION is all its stopped instances, and all is every one.
                """,
            argumentCount: 0...1,
            ownOptions: [
                Option("--config", "FILE", "the configuration file (default: DEPLOYEX_CONFIG)")
            ],
            peer: .deployex, concernsApplication: true, patience: .seconds(120),
            words: allWord, askedWords: .targets
        ) { (arguments) throws(UsageError) in
            guard let target = try arguments.target() else {
                let others = ["--app", "--node", "--timeout"].filter {
                    arguments.values[$0] != nil
                }
                if let option = others.first ?? (arguments.waits ? nil : "--no-wait") {
                    throw arguments.failure("\(option) is for `deployex start INSTANCE`")
                }
                return Start(
                    configurationFile: arguments.values["--config"], isBare: arguments.isBare)
            }
            guard arguments.values["--config"] == nil else {
                throw arguments.failure(
                    "--config is for the server: \(arguments.positional[0]) is started with what it "
                        + "knows")
            }
            switch target {
            case .instance(let text): return Order("start", text, waits: arguments.waits)
            case .all(let application):
                return GroupOrder(
                    function: .start, application: application, waits: arguments.waits)
            }
        }
    ]
}

/// `deployex [start]`: the server, in the foreground.
struct Start: Command {
    let configurationFile: String?
    /// Whether only the program's name was typed.
    var isBare = false

    func prepare() throws(SystemError) {
        SignalWatch.block(ServerSignal.watched)
    }

    func run(_ setting: CommandSetting) async throws -> Ending {
        let isTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        if isBare, isTerminal, !Self.isConfigured(setting.environment) {
            Output.explanation(Self.firstSteps)
            return .exit(ExitCode.usage)
        }
        guard access("/proc/self/stat", R_OK) == 0 else {
            throw CommandFailure(
                "/proc is missing, by which deployex knows its processes: mount it "
                    + "(mount -t proc proc /proc)")
        }
        // This must come before anything is made or read.
        let conditions = StartConditions.close()
        let console = ConsoleLog(journalStream: setting.environment["JOURNAL_STREAM"])
        defer { console.flush() }
        var environment = setting.environment
        let manager = ServiceManager(
            ServiceManagerAccess(taking: &environment, pid: getpid()), loop: setting.loop)
        let secrets = StartSecrets(
            configurationFile: configurationFile, setting.invocation.distribution,
            environment: environment, loop: setting.loop)
        let server = try await Server(
            configurationFile: configurationFile, setting.invocation.distribution,
            environment: try await secrets.atStart { console.log($0, $1) }, secrets: secrets,
            conditions: conditions, console: console, manager: manager, loop: setting.loop)
        return .exit(try await server.run())
    }

    /// Whether the environment says what to run.
    static func isConfigured(_ environment: [String: String]) -> Bool {
        let own = Setting.all.filter { $0.scopes.contains(.application) }.compactMap(\.variable)
        return (own + ["DEPLOYEX_CONFIG", "DEPLOYEX_CLOUD_ENVIRONMENT"]).contains { name in
            environment[name]?.isEmpty == false
        }
    }

    private static let firstSteps = """
        deployex runs and supervises releases, and nothing says yet which application to run.

        Name one. deployex then waits for packages below /tmp/myapp:
          DEPLOYEX_MONITORED_APP_NAME=myapp deployex
        Or describe one or several in a file (see docs/configuration.md):
          deployex --config deployex.json

        `deployex status` shows what a running deployex does, and `deployex help` lists the commands.
        """
}
