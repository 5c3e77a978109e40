internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Supervisor
internal import Transport

/// The module `deployex`. Any node that may connect can call it, the command line included.
///
/// Commands answer `{ok, Text}` when they are under way and `{error, Text}` when they are not.
/// ``ControlCall`` lists the functions.
struct ControlModule: Sendable {
    let name: NodeName
    let naming: NodeNaming
    let usesTLS: Bool
    let begin: MonotonicTime
    let directory: InstanceDirectory
    let applications: [ServedApplication]
    let feed: ObservationFeed
    let logWatch: LogWatch
    /// deployex's own log; `nil` if it keeps none.
    let ownLogs: LogFiles?
    let usage: UsageSampler
    let thresholds: ThresholdKeeper
    let libraries: LibraryWatch
    /// Lets one verification or preflight happen at a time, as each needs much memory or space.
    let verifications = VerificationTurn()
    /// Logs what a caller wants, as far as there is room for it. Called on the loop's thread.
    let report: @Sendable (LogLevel, String) -> Void
    /// An address that logs an administrator in, once.
    let loginLink: @Sendable () async throws(ControlRefusal) -> String
    /// Stops everything. The server may end once the caller has its answer.
    let stopAll: @Sendable (Caller) async throws -> Void

    /// - Throws: ``ExposedCallError/undefined`` when there is no such function.
    func answer(_ function: Atom, _ arguments: [Term], _ caller: Caller) async throws -> Term {
        do {
            guard let call = try ControlCall.parse(function.name, arguments, in: directory) else {
                throw ExposedCallError.undefined
            }
            return try await answer(call, caller)
        } catch let error where error is ControlRefusal || error is FileSystemError {
            return Self.error("\(error)")
        } catch let refusal as ObservationFeed.Refusal {
            switch refusal {
            case .full: return Self.error("too many are waiting for deployex already: try again")
            case .closed: return .tuple([.atom("ending"), .binary("\(name) is ending")])
            }
        }
    }

    private func answer(_ call: ControlCall, _ caller: Caller) async throws -> Term {
        switch call {
        case .status(let application):
            return await statusReport(of: application).term
        case .watchStatus(let application, let withUsage, let seen, let limit):
            return Self.ok(
                try await watch(application, withUsage, after: seen, within: limit, caller))
        case .versions(let application):
            return await versionsReport(of: application).term
        case .command(let application, let command):
            return Self.ok(try await perform(command, of: application, askedBy: "\(caller.node)"))
        case .request(let application, let command):
            let before = await feed.snapshot(of: application)
            let text = try await perform(command, of: application, askedBy: "\(caller.node)")
            let goal = CommandGoal(
                command, of: application, before: before,
                after: await feed.snapshot(of: application))
            return Self.ok(
                Term.object([("text", .binary(text)), ("goal", goal?.term ?? .null)]))
        case .awaitGoal(let goal, let seen, let limit):
            let all = applications.map(\.configuration.name)
            let revision = try await feed.change(
                of: Set(goal.applications(among: all).map { .application($0) }), after: seen,
                by: caller.node.text, within: limit)
            return Self.ok(goal.judge(await snapshots()).term(revision: revision))
        case .loginLink:
            report(.info, "a login link asked for by \(caller.node)")
            return Self.ok(try await loginLink())
        case .stopAll:
            report(.info, "stop --all asked for by \(caller.node): stopping the applications")
            try await stopAll(caller)
            return Self.ok("every instance is stopped, and deployex ends")
        case .tail(let instance, let stream, let lines):
            let logs = served(instance.app).logs
            // Join the lines off the loop, too: a hundred thousand of them take their time.
            let found = try await offload {
                try LogFiles.tail(
                    path: logs.path(instance, stream), lines: lines, owners: logs.owners
                ).map { $0 + "\n" }.joined()
            }
            return Self.ok(found)
        case .readLog(let part, let limit):
            return Self.ok(try await read([part], within: limit, caller)[0])
        case .readLogs(let parts, let limit):
            return Self.ok(.list(try await read(parts, within: limit, caller)))
        case .instance(let instance):
            return Self.ok(await description(of: instance))
        case .verify(let instance):
            report(.info, "\(instance): verification asked for by \(caller.node)")
            return Self.ok(try await verification(of: instance).term)
        case .preflight(let instance, let version):
            report(.info, "\(instance): preflight of \(version) asked for by \(caller.node)")
            return Self.ok(try await preflight(of: version, at: instance).term)
        }
    }

    func served(_ application: String) -> ServedApplication {
        guard let served = applications.first(where: { $0.configuration.name == application })
        else { preconditionFailure("A call names an application of the directory") }
        return served
    }

    /// deployex's answer to a command that it has accepted.
    func perform(
        _ command: EngineCommand, of application: String, askedBy caller: String
    ) async throws(ControlRefusal) -> String {
        let served = served(application)
        if let problem = served.problem {
            throw ControlRefusal("\(application) is failed: \(problem)")
        }
        if case .deploy(let version?) = command {
            try await requirePackage(version, of: served)
        }
        report(.info, "\(application): \(Self.text(command)) asked for by \(caller)")
        switch await served.deployer.perform(command, askedBy: caller) {
        case .done(let text): return text
        case .refused(let text): throw ControlRefusal(text)
        }
    }

    /// Refuses a version whose package is needed and cannot be had. The deployment would wait for
    /// it, and the command with it.
    private func requirePackage(
        _ version: String, of served: ServedApplication
    ) async throws(ControlRefusal) {
        let name = served.configuration.name
        guard await feed.snapshot(of: name)?.needsPackage(of: version) ?? true,
            let release = try? Release(version: version)
        else { return }
        do throws(StoreError) {
            try await served.storage.store.requirePackage(of: release)
        } catch {
            throw ControlRefusal("\(name) \(version) cannot be deployed: \(error)")
        }
    }

    /// A log that is being read.
    private struct OpenedLog: Sendable {
        var path: String
        var owners: TrustedUsers
        var start: ControlCall.LogStart

        /// What follows its start. It blocks.
        func chunk(limit: Int) throws(FileSystemError) -> LogChunk {
            let position =
                switch start {
                case .last(let lines):
                    try LogFiles.position(path: path, lastLines: lines, owners: owners)
                case .position(let position): position
                }
            return try LogFiles.read(path: path, from: position, limit: limit, owners: owners)
        }
    }

    private func opened(_ part: ControlCall.LogPart) throws(ControlRefusal) -> OpenedLog {
        if let instance = part.instance {
            let logs = served(instance.app).logs
            return OpenedLog(
                path: logs.path(instance, part.stream), owners: logs.owners, start: part.start)
        }
        guard let ownLogs else {
            throw ControlRefusal(
                "deployex keeps no log of its own here: it writes to its stdout, which is a terminal, "
                    + "or the journal of its service")
        }
        return OpenedLog(
            path: ownLogs.ownPath(part.stream), owners: ownLogs.owners, start: part.start)
    }

    /// What the logs contain from their starts on. If that is nothing yet, what is written within
    /// `limit`.
    /// - Returns: an answer for each of `parts`.
    private func read(
        _ parts: [ControlCall.LogPart], within limit: Duration, _ caller: Caller
    ) async throws -> [Term] {
        var logs: [OpenedLog] = []
        for part in parts { logs.append(try opened(part)) }
        // Watch before looking, so that nothing is missed in between.
        let watched = limit > .zero ? await logWatch.watch(logs.map(\.path)) : nil
        let size = min(Self.chunkByteCount, max(Self.answerByteCount / logs.count, 4 << 10))
        func look(_ logs: [OpenedLog]) async throws -> [LogChunk] {
            try await offload { try logs.map { try $0.chunk(limit: size) } }
        }
        var chunks = try await look(logs)
        if let watched, chunks.allSatisfy({ $0.bytes.isEmpty && $0.lostByteCount == 0 }) {
            try await logWatch.change(of: watched, by: caller.node.text, within: limit)
            for index in logs.indices { logs[index].start = .position(chunks[index].next) }
            chunks = try await look(logs)
        }
        return chunks.map { chunk -> Term in
            Term.object([
                ("text", .binary(chunk.bytes)),
                ("next", .tuple([chunk.next.offset.term, chunk.next.inode.term])),
                ("lost_bytes", chunk.lostByteCount.term),
            ])
        }
    }

    /// The most bytes of one log in one answer, and about the most of all.
    private static let chunkByteCount = 256 << 10
    private static let answerByteCount = 2 << 20

    // MARK: Answers

    /// The applications whose state is known, or only this one.
    private func snapshots(of only: String? = nil) async -> [ApplicationSnapshot] {
        var snapshots: [ApplicationSnapshot] = []
        for name in applications.map(\.configuration.name) where only == nil || only == name {
            if let snapshot = await feed.snapshot(of: name) {
                snapshots.append(snapshot)
            }
        }
        return snapshots
    }

    /// The status once it has changed, or as it is when the time is over.
    private func watch(
        _ application: String?, _ withUsage: Bool, after seen: Int, within limit: Duration,
        _ caller: Caller
    ) async throws -> Term {
        let names = application.map { [$0] } ?? applications.map(\.configuration.name)
        var topics = Set(names.map { ObservationTopic.application($0) })
        if withUsage {
            topics.insert(.usage)
            await usage.begin()
        }
        let revision = try await feed.change(
            of: topics, after: seen, by: caller.node.text, within: limit)
        let status = await statusReport(
            of: application, usage: withUsage ? usage.usage : [:])
        return Term.object([("revision", revision.term), ("status", status.term)])
    }

    func statusReport(
        of application: String?, usage: [InstanceName: InstanceUsage] = [:]
    ) async -> StatusReport {
        let now = MonotonicTime.now
        var found: [StatusReport.Application] = []
        for snapshot in await snapshots(of: application) {
            let served = served(snapshot.application)
            var application = StatusReport.Application(
                snapshot, firstPort: served.configuration.firstPort,
                ports: await served.deployer.ports, host: name.host, now: now)
            application.add(usage)
            var states: [InstanceNumber: [ThresholdState]] = [:]
            for number in InstanceNumber.first(served.configuration.replicas) {
                states[number] = await thresholds.states(
                    of: InstanceName(app: snapshot.application, number: number))
            }
            application.add { states[$0] ?? [] }
            application.add(served.storage.fetching)
            application.add(served.configuration.listening)
            let deleted = await deletedLibraries(of: snapshot)
            application.addDeletedLibraries { deleted[$0] ?? [] }
            found.append(application)
        }
        return StatusReport(
            node: name.text, version: ProgramVersion.text, usesTLS: usesTLS, uptime: now - begin,
            applications: found)
    }

    private func deletedLibraries(
        of snapshot: ApplicationSnapshot
    ) async -> [InstanceNumber: [String]] {
        let folder = served(snapshot.application).layout.applicationFolder
        var processes: [ProcessIdentity: String] = [:]
        for instance in snapshot.instances {
            if let identity = instance.identity { processes[identity] = folder }
        }
        let found = await libraries.libraries(of: processes)
        var result: [InstanceNumber: [String]] = [:]
        for instance in snapshot.instances {
            result[instance.number] = instance.identity.flatMap { found[$0] }
        }
        return result
    }

    func versionsReport(of application: String?) async -> VersionsReport {
        VersionsReport(node: name.text, applications: await snapshots(of: application))
    }

    /// The variables that make a program that of the instance, as `InstanceEnvironment` has them for
    /// the instance itself.
    func variables(of instance: InstanceName) -> [String: String] {
        var variables = naming.variables(of: instance)
            .merging(served(instance.app).configuration.variables) { $1 }
        variables["RELEASE_NODE_SUFFIX"] = "-\(instance.number)"
        return variables
    }

    /// What `deployex remote` needs, and what people look for.
    private func description(of instance: InstanceName) async -> Term {
        let served = served(instance.app)
        let environment = variables(of: instance)
        let configured = Int(served.configuration.firstPort) + instance.number.offset
        let port = await served.deployer.port(of: instance.number).map { Int($0) } ?? configured
        var fields: [(Atom, Term)] = [
            ("application", .binary(instance.app)),
            ("instance", .integer(instance.number.value)),
            ("node", .binary("\(instance)@\(name.host)")),
            ("port", .integer(port)),
            ("folder", .binary(served.layout.current(instance.number))),
            ("program", .binary(served.layout.program(instance.number))),
            ("environment", environment.term),
            ("variables", served.configuration.variables.keys.sorted().term),
            ("stdout", .binary(served.logs.path(instance, .stdout))),
            ("stderr", .binary(served.logs.path(instance, .stderr))),
        ]
        if let user = served.configuration.otherUser {
            fields.append(("user", .integer(Int(user.id))))
        }
        let instances = await feed.snapshot(of: instance.app)?.instances ?? []
        if let process = instances.first(where: { $0.number == instance.number })?.identity {
            let deleted = await libraries.libraries(
                of: [process: served.layout.applicationFolder])
            fields.append(("deleted_libraries", (deleted[process] ?? []).term))
        }
        return .object(fields)
    }

    private static func text(_ command: EngineCommand) -> String {
        switch command {
        case .deploy(let version?): "deploy \(version)"
        case .deploy(nil): "deploy auto"
        case .restart(let number): "restart of instance \(number)"
        case .stop(let number): "stop of instance \(number)"
        case .start(let number): "start of instance \(number)"
        case .rollback: "rollback"
        case .unghost(let version): "unghost \(version)"
        }
    }

    private static func ok(_ text: String) -> Term { ok(.binary(text)) }

    private static func ok(_ term: Term) -> Term { .tuple([.atom("ok"), term]) }

    private static func error(_ text: String) -> Term {
        .tuple([.atom("error"), .binary(text)])
    }
}
