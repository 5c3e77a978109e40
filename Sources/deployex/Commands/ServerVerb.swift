internal import Glibc
internal import Transport

extension Verb {
    static let server = [
        Verb(
            name: "start",
            forms: [
                "[start] [--config FILE] [--sname NAME | --name NAME@HOST] [--cookie COOKIE]",
                "start INSTANCE [--app APPLICATION] [--no-wait]",
            ],
            summary: "run deployex in the foreground; with INSTANCE, start a stopped one",
            details: """
                Reads DEPLOYEX_MONITORED_APP_NAME and the other DEPLOYEX_ variables, or the JSON file
                that --config or DEPLOYEX_CONFIG names (see docs/configuration.md), watches
                current.json in the storage folder, and deploys what it names.
                SIGTERM or Ctrl-C ends deployex, and the applications go on; the next start takes them
                over. `deployex stop --all` ends them. SIGHUP opens deployex's own logs anew.
                `deployex start INSTANCE` starts an instance that `deployex stop` has stopped.
                """,
            argumentCount: 0...1,
            ownOptions: [
                Option("--config", "FILE", "the configuration file (default: DEPLOYEX_CONFIG)")
            ],
            peer: .deployex, concernsApplication: true, patience: .seconds(120),
            askedWords: .instances
        ) { (arguments) throws(UsageError) in
            guard let text = arguments.positional.first else {
                let others = ["--app", "--node", "--timeout"].filter {
                    arguments.values[$0] != nil
                }
                if let option = others.first ?? (arguments.waits ? nil : "--no-wait") {
                    throw arguments.failure("\(option) is for `deployex start INSTANCE`")
                }
                return Start(configurationFile: arguments.values["--config"])
            }
            guard arguments.values["--config"] == nil else {
                throw arguments.failure(
                    "--config is for the server: \(text) is started with what it knows")
            }
            return Order("start", try arguments.instance(), waits: arguments.waits)
        }
    ]
}

/// `deployex [start]`: the server, in the foreground.
struct Start: Command {
    let configurationFile: String?

    func prepare() throws(SystemError) {
        SignalWatch.block(ServerSignal.watched)
    }

    func run(_ setting: CommandSetting) async throws -> Ending {
        guard access("/proc/self/stat", R_OK) == 0 else {
            throw CommandFailure(
                "/proc is missing, by which deployex knows its processes: mount it "
                    + "(mount -t proc proc /proc)")
        }
        // This must come before anything is made or read.
        let conditions = StartConditions.close()
        let console = ConsoleLog()
        defer { console.flush() }
        let server = try await Server(
            configurationFile: configurationFile, setting.invocation.distribution,
            environment: setting.environment, conditions: conditions, console: console,
            loop: setting.loop)
        return .exit(try await server.run())
    }
}
