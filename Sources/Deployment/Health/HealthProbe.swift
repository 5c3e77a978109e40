internal import ExternalTermFormat

/// Asks a node for its health over the distribution.
package struct HealthProbe: Sendable {
    private let node: any RemoteNode
    /// The time limit for each of the calls, which are made at the same time.
    private let timeout: Duration
    /// Whether an OS process, by its pid, is one of those that the node is to run in.
    private let isOwn: IsOwn

    package typealias IsOwn = @Sendable (Int32) async -> Bool

    package init(
        node: any RemoteNode, timeout: Duration, isOwn: @escaping IsOwn = { _ in true }
    ) {
        self.node = node
        self.timeout = timeout
        self.isOwn = isOwn
    }

    /// Whether the node runs in its own process, boot is finished, and `applications` are started.
    package func readiness(of applications: [String]) async -> ProbeResult {
        do throws(RemoteCallError) {
            async let boot = answer("init", "get_status")
            async let started = answer("application", "which_applications")
            async let pid = answer("os", "getpid")
            let health = try Health(boot: await boot.get(), started: await started.get())
            if let stranger = await stranger(try await pid.get()) { return stranger }
            return health.problem(requiring: applications).map { .notReady($0) } ?? .ready
        } catch {
            return Self.result(error)
        }
    }

    /// Whether the node responds, from its own process, to a call that costs it next to nothing.
    package func liveness() async -> ProbeResult {
        switch await answer("os", "getpid") {
        case .success(let pid): await stranger(pid) ?? .ready
        case .failure(let error): Self.result(error)
        }
    }

    /// The result for a node that runs in another process than its own, according to `os:getpid/0`.
    private func stranger(_ answer: Term) async -> ProbeResult? {
        guard let pid = answer.asText.flatMap({ Int32($0) }) else {
            let text = answer.erlangText(maximumByteCount: 100)
            return .notReady("the node's os:getpid() is \(text)")
        }
        guard await isOwn(pid) else {
            return .refused(
                "the node that answers is OS process \(pid), which is none of the instance's: stop "
                    + "what has taken its name")
        }
        return nil
    }

    private static func result(_ error: RemoteCallError) -> ProbeResult {
        switch error {
        case .exception(let text): .notReady("the node answers with exception \(text)")
        case .refused: .refused("\(error)")
        case .unreachable, .connectionLost: .unreachable("\(error)")
        case .timedOut: .unresponsive("\(error)")
        }
    }

    /// Readiness, and the figures that an operator needs first.
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

/// The health of a node.
package struct Health: Equatable, Sendable {
    /// Whether the boot script has ended.
    package var isBootFinished: Bool
    /// The answer of `init:get_status/0`, such as `{starting,loading_kernel}`, in Erlang syntax.
    package var bootStatus: String
    /// The applications that are started, in the node's order.
    package var startedApplications: [String]
    /// Bytes allocated by the runtime system.
    package var memoryByteCount: Int?
    /// The number of processes and ports that are ready to run and wait for a scheduler.
    package var runQueueLength: Int?
    package var processCount: Int?
    package var atomCount: Int?

    /// - Parameters:
    ///   - boot: the answer of `init:get_status/0`, `{started,_}` when boot is finished. With
    ///     `{starting,started}` the boot script is finished, and the code of `-eval` or `-s` still
    ///     runs: in a shipment as long as it lives.
    ///   - started: the answer of `application:which_applications/0`,
    ///     `[{Name,Description,Version}]`.
    init(boot: Term, started: Term) {
        isBootFinished =
            boot.asTuple?.first == .atom("started")
            || boot == .tuple([.atom("starting"), .atom("started")])
        bootStatus = "\(boot)"
        startedApplications = (started.asList ?? []).compactMap {
            $0.asTuple?.first?.asAtom?.name
        }
    }

    /// Says what is missing; `nil` when boot is finished and `applications` are started.
    package func problem(requiring applications: [String]) -> String? {
        if !isBootFinished { return "boot is not finished: \(bootStatus)" }
        let started = Set(startedApplications)
        let missing = applications.filter { !started.contains($0) }
        guard let first = missing.first else { return nil }
        let more = missing.count > 1 ? ", and \(missing.count - 1) more" : ""
        return "the application \(first) is not started\(more)"
    }
}
