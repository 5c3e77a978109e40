internal import Supervisor

/// What a relup has to know of a compiled module.
package struct ModuleCode: Equatable, Sendable {
    /// Equal for two modules if and only if they run the same code.
    package var digest: [UInt8]
    /// Whether the chunk of the attributes is there: `release_handler` reads the version in it, and
    /// fails without it.
    package var hasAttributes = true
    package var behaviours: Set<String> = []
    /// Those of its functions, as `name/arity`, that say how its processes change their code.
    package var exports: Set<String> = []
    /// Those functions of others that it calls, as `module:name/arity`, that a hot upgrade cannot
    /// stand.
    package var calls: Set<String> = []
    /// The modules that it calls.
    package var uses: Set<String> = []
    /// Whether a function of it runs when it is loaded.
    package var runsWhenLoaded = false

    package init(digest: [UInt8]) {
        self.digest = digest
    }
}

extension ModuleCode {
    /// How the processes of a module, if it has any, change to another version of it.
    package enum Kind: Equatable, Sendable {
        /// They are supervisors: each asks its module again for the children that it is to have.
        case supervisor
        /// They take part in release handling by themselves.
        case special
        /// They are servers with a state.
        case server
        /// They belong to a library that calls the module back.
        case hosted(Host)
        case plain
    }

    /// A library's process that runs a module's functions.
    package enum Host: Equatable, Sendable {
        case liveView, channel

        /// The module that the process is of.
        var module: String {
            switch self {
            case .liveView: "Elixir.Phoenix.LiveView.Channel"
            case .channel: "Elixir.Phoenix.Channel.Server"
            }
        }
    }

    package var kind: Kind {
        if !behaviours.isDisjoint(with: Self.supervisors) { return .supervisor }
        if exports.contains("system_code_change/4") { return .special }
        // A channel exports `code_change/3` as a server does, and its process is the library's.
        if behaviours.contains("Elixir.Phoenix.LiveView") { return .hosted(.liveView) }
        if behaviours.contains("Elixir.Phoenix.Channel") { return .hosted(.channel) }
        if changesState || !behaviours.isDisjoint(with: Self.servers) { return .server }
        return .plain
    }

    /// Whether it turns the state of another version into its own.
    package var changesState: Bool {
        exports.contains("code_change/3") || exports.contains("code_change/4")
    }

    /// Whether it has native code.
    package var isNative: Bool { calls.contains("erlang:load_nif/2") }

    /// What it does, apart from naming children, when a supervisor asks it for them: no upgrade may
    /// do that again.
    package var effects: Set<String> { calls.subtracting(["erlang:load_nif/2", Self.anonymous]) }

    /// Whether it starts a supervisor from a list of children: only another start of that
    /// supervisor would change the list.
    package var startsAnonymousSupervisor: Bool {
        kind != .supervisor && calls.contains(Self.anonymous)
    }

    package var isStateMachine: Bool {
        !behaviours.isDisjoint(with: ["gen_statem", "Elixir.GenStateMachine"])
    }

    private static let anonymous = "Elixir.Supervisor:start_link/2"
    private static let supervisors: Set<String> = [
        "supervisor", "Elixir.Supervisor", "Elixir.DynamicSupervisor",
    ]
    private static let servers: Set<String> = [
        "gen_server", "gen_statem", "gen_event", "Elixir.GenServer", "Elixir.GenStage",
        "Elixir.GenStateMachine",
    ]
    private static let exportsOfInterest: Set<BeamFile.Function> = [
        .init(name: "code_change", arity: 3), .init(name: "code_change", arity: 4),
        .init(name: "system_code_change", arity: 4), .init(name: "config_change", arity: 3),
    ]
    private static let callsOfInterest: Set<String> = [
        "erlang:load_nif/2", anonymous, "ets:new/2", "persistent_term:put/2", "erlang:spawn/1",
        "erlang:spawn/3", "erlang:spawn_link/1", "erlang:spawn_link/3", "erlang:register/2",
        "gen_server:start/3", "gen_server:start/4", "gen_server:start_link/3",
        "gen_server:start_link/4", "proc_lib:start_link/3", "proc_lib:spawn_link/3",
        "Elixir.GenServer:start/2", "Elixir.GenServer:start/3", "Elixir.GenServer:start_link/2",
        "Elixir.GenServer:start_link/3", "Elixir.Agent:start_link/1", "Elixir.Agent:start_link/2",
        "Elixir.Task:start/1", "Elixir.Task:start_link/1",
    ]
}

extension ModuleCode {
    /// - Parameter name: the module's, according to its file's name.
    init(_ file: [UInt8], name: String) throws(FileSystemError) {
        let beam = try BeamFile(file)
        let atoms = try beam.atoms()
        guard atoms.first == name else {
            throw .unusable("it holds the module \(shortened(atoms.first ?? "", to: 300))")
        }
        digest = BeamCode(beam).digest
        hasAttributes = beam["Attr"] != nil
        behaviours = try beam.behaviours()
        exports = Set(
            try beam.exports().intersection(Self.exportsOfInterest).map(\.description))
        for (module, function) in try beam.imports() {
            uses.insert(module)
            let call = "\(module):\(function)"
            if Self.callsOfInterest.contains(call) { calls.insert(call) }
        }
        runsWhenLoaded = try beam.runsWhenLoaded()
    }
}
