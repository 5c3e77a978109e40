internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Supervisor
internal import Transport

/// The commands that change something, and those that show what has changed.
struct ControlCommands {
    let client: ControlClient
    /// The application that is meant, where there are several.
    let application: String?
    /// How long to wait for an effect; `nil` for the command's own default.
    let patience: Duration?

    private static let pollInterval = Duration.milliseconds(200)

    // MARK: Showing

    /// `deployex status [--json]`
    func status(json: Bool) async throws -> Int32 {
        let status = try await client.status()
        if json {
            Output.line(status.json)
        } else {
            let table = StatusTable(status, usesColours: Output.usesColours)
            for line in table.lines { Output.line(line) }
        }
        return ExitCode.done
    }

    /// `deployex versions [--json]`
    func versions(json: Bool) async throws -> Int32 {
        let answer = try await client.call("versions", application.map { [.binary($0)] } ?? [])
        if json {
            Output.line(answer.json)
        } else {
            for line in VersionsTable(answer).lines { Output.line(line) }
        }
        return ExitCode.done
    }

    /// `deployex completion instances|applications|versions`: words, or nothing at all.
    func words(_ words: CompletionWords) async -> Int32 {
        guard let status = try? await client.status() else { return ExitCode.unreachable }
        let applications = StatusView(status).applications
        let found: [String] =
            switch words {
            case .applications: applications.map(\.name)
            case .instances:
                applications.flatMap { application in
                    application.instances.map { "\(application.name)-\($0.number)" }
                }
            case .versions:
                applications.flatMap { application in
                    [application.targetVersion].compactMap { $0 }
                        + application.ghosted.keys.sorted()
                        + application.instances.compactMap(\.version)
                }
            }
        // A shell expands what it completes from: nothing but plain names goes there.
        for word in Set(found).sorted() where Release.isVersion(word) { Output.line(word) }
        return ExitCode.done
    }

    // MARK: Changing

    func run(_ order: ControlOrder, waits: Bool) async throws -> Int32 {
        let before = StatusView(try await client.status())
        let patience = patience ?? order.name.defaultPatience
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
        [.binary(instance.app), .integer(instance.number.value)]
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
