internal import Dashboard
internal import Deployment
internal import Supervisor
internal import Transport

/// Opens what `deployex remote` opens, on terminals of the dashboard. Confined to the loop's
/// thread.
///
/// The invariant behind `@unchecked Sendable`: the open terminals are touched on the loop's thread
/// only.
final class ShellTerminals: TerminalBackend, @unchecked Sendable {
    private let applications: [ServedApplication]
    private let module: ControlModule
    private let conditions: StartConditions
    /// deployex's own variables.
    private let environment: [String: String]
    private let cookie: String
    private let tlsOptionsFile: String?
    private let loop: EventLoop
    private var sessions: [Int: TerminalSession] = [:]
    private var nextSession = 0
    private var isEnding = false
    private var endWaiter: CheckedContinuation<Void, Never>?

    init(
        _ applications: [ServedApplication],
        _ module: ControlModule, conditions: StartConditions, environment: [String: String],
        cookie: String, tlsOptionsFile: String?, loop: EventLoop
    ) {
        self.applications = applications
        self.module = module
        self.conditions = conditions
        self.environment = environment
        self.cookie = cookie
        self.tlsOptionsFile = tlsOptionsFile
        self.loop = loop
    }

    func open(
        _ instance: InstanceNumber, of application: String, size: TerminalSession.Size,
        onEvent: @escaping @Sendable (TerminalSession.Event) -> Void
    ) async throws(DashboardRefusal) -> any OpenedTerminal {
        guard let served = applications.first(where: { $0.configuration.name == application }),
            instance.value <= served.configuration.replicas
        else { throw DashboardRefusal(.notFound, "there is no such instance") }
        guard !isEnding else { throw DashboardRefusal(.unavailable, "deployex is ending") }
        let name = InstanceName(app: application, number: instance)
        let setting = conditions.setting(for: served.configuration)
        var variables = ShellVariables.of(
            environment, instance: module.variables(of: name), cookie: cookie,
            tlsOptionsFile: tlsOptionsFile, user: setting.user)
        variables["TERM"] = "xterm-256color"
        variables["COLORTERM"] = nil
        let program = Program(
            path: served.layout.program(instance), arguments: ["remote"], environment: variables,
            folder: served.layout.current(instance), stdoutPath: "/dev/null",
            stderrPath: "/dev/null", setting: setting)
        nextSession += 1
        let number = nextSession
        do {
            let session = try await TerminalSession.start(program, size: size, on: loop) {
                [weak self] event in
                if case .ended = event { self?.ended(number) }
                onEvent(event)
            }
            sessions[number] = session
            if isEnding { session.kill() }
            return session
        } catch {
            throw DashboardRefusal(.conflict, "\(error)")
        }
    }

    private func ended(_ number: Int) {
        sessions[number] = nil
        guard sessions.isEmpty else { return }
        endWaiter?.resume()
        endWaiter = nil
    }

    /// Ends all of them, because deployex ends. Returns when nothing of them is left.
    func end() async {
        isEnding = true
        for session in sessions.values { session.kill() }
        await withCheckedContinuation { continuation in
            guard !sessions.isEmpty else { return continuation.resume() }
            endWaiter = continuation
        }
    }
}
