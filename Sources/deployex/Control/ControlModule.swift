internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Supervisor
internal import Transport

/// The module `deployex`, which any node that may connect can call, the command line included.
///
/// Commands answer `{ok, Text}` when they are on their way and `{error, Text}` when they are not;
/// ``ControlCall`` says what there is.
struct ControlModule: Sendable {
    let name: NodeName
    let usesTLS: Bool
    let begin: MonotonicTime
    let applications: [ServedApplication]
    /// Says what a caller wants, as far as there is room for it. On the loop's thread.
    let report: @Sendable (LogLevel, String) -> Void
    /// Stops everything, and lets the server end once the caller has its answer.
    let stopAll: @Sendable (Caller) async throws -> Void

    var directory: InstanceDirectory {
        InstanceDirectory(
            applications.map {
                .init(name: $0.configuration.name, replicas: $0.configuration.replicas)
            })
    }

    /// - Throws: ``ExposedCallError/undefined`` when there is no such function.
    func answer(_ function: Atom, _ arguments: [Term], _ caller: Caller) async throws -> Term {
        do {
            guard let call = try ControlCall.parse(function.name, arguments, in: directory) else {
                throw ExposedCallError.undefined
            }
            return try await answer(call, caller)
        } catch let error as ControlRefusal {
            return Self.error(error.message)
        } catch let error as FileSystemError {
            return Self.error("\(error)")
        }
    }

    private func answer(_ call: ControlCall, _ caller: Caller) async throws -> Term {
        switch call {
        case .status:
            return await status()
        case .versions(let application):
            return await versions(of: application)
        case .command(let application, let command):
            let served = served(application)
            if let problem = served.problem {
                throw ControlRefusal("\(application) is failed: \(problem)")
            }
            report(.info, "\(application): \(Self.text(command)) asked for by \(caller.node)")
            switch await served.deployer.perform(command) {
            case .done(let text): return Self.ok(text)
            case .refused(let text): return Self.error(text)
            }
        case .stopAll:
            report(.info, "stop --all asked for by \(caller.node): stopping the applications")
            try await stopAll(caller)
            return Self.ok("every instance is stopped, and deployex ends")
        case .tail(let instance, let stream, let lines):
            let logs = served(instance.app).logs
            // Joined there as well: a hundred thousand lines take their time.
            let found = try await offload {
                try logs.tail(instance, stream, lines: lines).map { $0 + "\n" }.joined()
            }
            return Self.ok(found)
        case .readLog(let instance, let stream, let start):
            let logs = served(instance.app).logs
            let piece = try await offload {
                try LogReader.read(logs, instance, stream, from: start)
            }
            return Self.ok(
                Self.map([
                    ("text", .binary(piece.bytes)), ("next", piece.next),
                    ("lost_bytes", .integer(Int(piece.lostByteCount))),
                ]))
        case .instance(let instance):
            return Self.ok(description(of: instance))
        }
    }

    private func served(_ application: String) -> ServedApplication {
        guard let served = applications.first(where: { $0.configuration.name == application })
        else { preconditionFailure("A call names an application of the directory") }
        return served
    }

    // MARK: Answers

    private func status() async -> Term {
        let now = MonotonicTime.now
        var reports: [StatusReport.Application] = []
        for served in applications {
            guard let snapshot = await served.snapshot else { continue }
            reports.append(
                .init(snapshot: snapshot, firstPort: served.configuration.firstPort))
        }
        return StatusReport(
            node: name.text, version: HelpText.version, usesTLS: usesTLS, uptime: now - begin,
            applications: reports
        ).term(now: now)
    }

    private func versions(of application: String?) async -> Term {
        var snapshots: [ApplicationSnapshot] = []
        for served in applications {
            guard application == nil || served.configuration.name == application else { continue }
            if let snapshot = await served.snapshot { snapshots.append(snapshot) }
        }
        return VersionsReport(node: name.text, applications: snapshots).term
    }

    /// What `deployex remote` needs, and people look for.
    private func description(of instance: InstanceName) -> Term {
        let served = served(instance.app)
        var environment = served.configuration.environment
        environment["RELEASE_NODE_SUFFIX"] = "-\(instance.number)"
        let variables = environment.sorted { $0.key < $1.key }.map { variable in
            (key: Term.binary(variable.key), value: Term.binary(variable.value))
        }
        let port = Int(served.configuration.firstPort) + instance.number.offset
        var fields: [(Atom, Term)] = [
            ("application", .binary(instance.app)),
            ("instance", .integer(instance.number.value)),
            ("node", .binary("\(instance)@\(name.host)")),
            ("port", .integer(port)),
            ("folder", .binary(served.layout.current(instance.number))),
            ("program", .binary(served.layout.program(instance.number))),
            ("environment", .map(TermMap(variables))),
            ("stdout", .binary(served.logs.path(instance, .stdout))),
            ("stderr", .binary(served.logs.path(instance, .stderr))),
        ]
        if let user = served.configuration.otherUser {
            fields.append(("user", .integer(Int(user.id))))
        }
        return Self.map(fields)
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

    private static func map(_ pairs: [(Atom, Term)]) -> Term {
        .map(TermMap(pairs.map { (key: .atom($0.0), value: $0.1) }))
    }
}
