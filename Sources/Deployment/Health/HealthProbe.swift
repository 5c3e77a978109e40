internal import ExternalTermFormat

/// Asks a node over the distribution how it is.
package struct HealthProbe: Sendable {
    private let node: any RemoteNode
    /// For each of the calls; they are made at the same time.
    private let timeout: Duration

    package init(node: any RemoteNode, timeout: Duration) {
        self.node = node
        self.timeout = timeout
    }

    /// Whether boot is finished and `application` is started.
    package func readiness(of application: String) async -> ProbeResult {
        do throws(RemoteCallError) {
            async let boot = answer("init", "get_status")
            async let started = answer("application", "which_applications")
            let health = try Health(boot: await boot.get(), started: await started.get())
            return health.readiness(of: application)
        } catch {
            return Self.readiness(error)
        }
    }

    /// Whether the node responds, by a call that costs it next to nothing.
    package func liveness() async -> ProbeResult {
        switch await answer("erlang", "node") {
        case .success: .ready
        case .failure(let error): Self.readiness(error)
        }
    }

    private static func readiness(_ error: RemoteCallError) -> ProbeResult {
        switch error {
        case .exception(let text): .notReady("the node answers with exception \(text)")
        case .unreachable, .connectionLost: .unreachable("\(error)")
        case .timedOut: .unresponsive("\(error)")
        }
    }

    /// Readiness and the figures that an operator looks at first.
    package func report() async throws(RemoteCallError) -> Health {
        async let boot = answer("init", "get_status")
        async let started = answer("application", "which_applications")
        async let memory = answer("erlang", "memory", [.atom("total")])
        async let runQueue = answer("erlang", "statistics", [.atom("run_queue")])
        async let processes = answer("erlang", "system_info", [.atom("process_count")])
        async let atoms = answer("erlang", "system_info", [.atom("atom_count")])
        var health = try Health(boot: await boot.get(), started: await started.get())
        health.memoryByteCount = try await memory.get().asInteger
        health.runQueueLength = try await runQueue.get().asInteger
        health.processCount = try await processes.get().asInteger
        health.atomCount = try await atoms.get().asInteger
        return health
    }

    private func answer(
        _ module: Atom, _ function: Atom, _ arguments: [Term] = []
    ) async -> Result<Term, RemoteCallError> {
        do throws(RemoteCallError) {
            return .success(
                try await node.call(
                    module, function, arguments, timeout: timeout, output: { _ in }))
        } catch {
            return .failure(error)
        }
    }
}

/// How a node is.
package struct Health: Equatable, Sendable {
    /// Whether the boot script has come to its end.
    package var isBootFinished: Bool
    /// What `init:get_status/0` says, such as `{starting,loading_kernel}`, in Erlang syntax.
    package var bootStatus: String
    /// The applications that are started, in the node's order.
    package var startedApplications: [String]
    /// Bytes allocated by the runtime system.
    package var memoryByteCount: Int?
    /// Processes and ports that are ready to run and wait for a scheduler.
    package var runQueueLength: Int?
    package var processCount: Int?
    package var atomCount: Int?

    /// - Parameters:
    ///   - boot: the answer of `init:get_status/0`, `{started,_}` when boot is finished.
    ///   - started: the answer of `application:which_applications/0`, `[{Name,Description,Version}]`.
    init(boot: Term, started: Term) {
        isBootFinished = boot.asTuple?.first == .atom("started")
        bootStatus = "\(boot)"
        startedApplications = (started.asList ?? []).compactMap {
            $0.asTuple?.first?.asAtom?.name
        }
    }

    package func readiness(of application: String) -> ProbeResult {
        if !isBootFinished { return .notReady("boot is not finished: \(bootStatus)") }
        guard startedApplications.contains(application) else {
            return .notReady("the application \(application) is not started")
        }
        return .ready
    }
}
