package import ErlDist
internal import ExternalTermFormat
internal import FoundationEssentials
package import Supervisor
package import Transport

extension HotUpgrade {
    /// Runs a program, which inherits no environment, and waits for its end.
    ///
    /// The program is killed when it takes longer than `timeout` or prints more than
    /// ``Evaluation/maximumByteCount``.
    package typealias ProgramRun =
        @Sendable (
            _ program: String, _ arguments: [String], _ environment: [String: String],
            _ timeout: Duration
        ) async throws -> ProgramOutput

    /// A program's output, and how it ended.
    package struct ProgramOutput: Equatable, Sendable {
        /// 0 is success; 128 plus the signal's number when it was killed.
        package var exitStatus: Int32
        package var standardOutput: [UInt8]
        package var standardError: [UInt8]
    }

    /// How deployex asks the new release for its configuration.
    package struct Evaluation: Sendable {
        /// How much ``ProgramRun`` may collect of either stream.
        package static let maximumByteCount = 32 << 20

        /// The environment with which the instance is started.
        package var environment: [String: String]
        package var run: ProgramRun
    }

    /// Decides between a hot upgrade to the release staged in `staged` and a full deployment. It
    /// reads the files off the loop.
    /// - Parameters:
    ///   - running: the version that runs; `nil` when that is unknown or nothing runs.
    ///   - isConnected: whether the instance's node is connected, so that it can be called.
    package nonisolated(nonsending) static func decide(
        from running: String?, isConnected: Bool, to version: String, name: String, current: String,
        staged: String, files: any FileSystem, loop: any SerialLoop
    ) async -> UpgradeDecision {
        guard let from = running, !from.isEmpty else {
            return .fullDeployment(reason: .runningVersionUnknown)
        }
        guard from != version else { return .fullDeployment(reason: .sameVersion(version)) }
        guard isConnected else { return .fullDeployment(reason: .notConnected) }
        return await loop.offload { () -> UpgradeDecision in
            var path = staged
            do throws(FileSystemError) {
                let upgrade = try StagedUpgrade.read(
                    staged, name: name, from: from, to: version, files: files)
                path = current
                let contents = try ReleaseContents.read(
                    current, name: name, version: from, files: files)
                let decision = UpgradeDecision.between(
                    from, in: contents, and: version, in: upgrade)
                guard case .hotUpgrade = decision else { return decision }
                let comparison = ReleaseComparison(
                    current: current, staged: staged, old: contents, new: upgrade.contents,
                    files: files)
                path = staged
                return try comparison.obstacle().map { .fullDeployment(reason: $0) } ?? decision
            } catch {
                return .fullDeployment(reason: .unreadable(path: path, reason: "\(error)"))
            }
        }
    }

    /// Carries out a hot upgrade on `node` and returns how it ended. It never throws: every failure
    /// is an outcome.
    /// - Parameter isResumed: an earlier deployex was cut off in it: see
    ///   ``HotUpgradeMachine/resume()``.
    package nonisolated(nonsending) static func run(
        _ plan: Plan, on node: some RemoteNode, files: HotUpgradeFiles, evaluation: Evaluation,
        isResumed: Bool = false, loop: any SerialLoop, log: @Sendable (LogLevel, String) -> Void
    ) async -> Outcome {
        var machine = HotUpgradeMachine(plan: plan)
        let leftBehind = LeftBehind(
            node: node,
            applications: isResumed ? [] : await changedApplications(plan, files, loop),
            loop: loop, moduleTimeout: plan.timings.question)
        let unstarted = isResumed ? nil : await leftBehind.unstartedChildren()
        var configuration: [UInt8] = []
        var actions = isResumed ? machine.resume() : machine.start()
        while true {
            var next: [HotUpgradeMachine.Action] = []
            for action in actions {
                switch action {
                case .log(let level, let text): log(level, text)
                case .call(let module, let function, let arguments, let timeout):
                    let printed = PrintedText()
                    do throws(RemoteCallError) {
                        let answer = try await node.call(
                            module, function, arguments, timeout: timeout,
                            output: { printed.append($0) })
                        next = machine.callAnswered(answer, output: printed.text)
                    } catch {
                        next = machine.callFailed(error, output: printed.text)
                    }
                case .file(let step):
                    do throws(FileSystemError) {
                        if step == .evaluateConfiguration {
                            switch try await evaluate(plan, files, evaluation, loop) {
                            case .text(let text): configuration = text
                            case .failed(let reason, let isForeign):
                                next = machine.evaluationFailed(reason, ofRunningToo: isForeign)
                                continue
                            }
                        } else {
                            let text = configuration
                            try await loop.offload { () throws(FileSystemError) in
                                try perform(step, plan, files, text)
                            }
                        }
                        next = machine.fileDone()
                    } catch {
                        next = machine.fileFailed("\(error)")
                    }
                case .pause(let duration):
                    await loop.sleep(for: duration)
                    next = machine.pauseEnded()
                case .finish(.succeeded):
                    let remains = await remains(leftBehind, besides: unstarted, log)
                    return remains == Remains()
                        ? .succeeded : .succeededInPart(leftBehind: remains)
                case .finish(let outcome): return outcome
                }
            }
            actions = next
        }
    }

    /// The applications whose supervisors may have new children after the upgrade.
    private nonisolated(nonsending) static func changedApplications(
        _ plan: Plan, _ files: HotUpgradeFiles, _ loop: any SerialLoop
    ) async -> [String] {
        await loop.offload { () -> [String] in
            do throws(FileSystemError) {
                let old = try ReleaseContents.read(
                    files.current, name: plan.name, version: plan.from, files: files.files)
                let new = try ReleaseContents.read(
                    files.staged, name: plan.name, version: plan.to, files: files.files)
                return new.applications(changedSince: old)
            } catch {
                // The upgrade needs both, and tells of it.
                return [plan.name]
            }
        }
    }

    /// What the node has of the old release after the upgrade.
    /// - Parameter unstarted: the children that had no process before; `nil` if that is not known.
    private nonisolated(nonsending) static func remains(
        _ leftBehind: LeftBehind, besides unstarted: LeftBehind.Unstarted?,
        _ log: @Sendable (LogLevel, String) -> Void
    ) async -> Remains {
        var remains = Remains(modules: nil)
        do throws(RemoteCallError) {
            remains.modules = try await leftBehind.modifiedModules()
        } catch {
            log(.warning, "Whether all modules run the new code is not known: \(error)")
        }
        if let unstarted {
            let after = await leftBehind.unstartedChildren()
            // One that was not seen before may be meant to have no process.
            let new = unstarted.isWhole ? after.children.subtracting(unstarted.children) : []
            remains.children = new.map(\.text).sorted()
            if !unstarted.isWhole || !after.isWhole {
                log(
                    .warning,
                    "Whether all new children are started is not known: the supervisors are too "
                        + "many or too slow to ask them all")
            }
        }
        return remains
    }

    private static func perform(
        _ step: FileStep, _ plan: Plan, _ files: HotUpgradeFiles, _ configuration: [UInt8]
    ) throws(FileSystemError) {
        switch step {
        case .evaluateConfiguration: preconditionFailure("The evaluation runs a program")
        case .placePackage: try files.placePackage(plan)
        case .copyReleaseResources: try files.copyReleaseResources(plan)
        case .inspectRelup: try files.inspectRelup(plan)
        case .writeConfiguration: try files.writeConfiguration(configuration, plan)
        case .restoreConfiguration: try files.restoreConfiguration(plan)
        case .removeRelease: try files.removeRelease(plan)
        }
    }

    /// The result of evaluating the new release's configuration.
    private enum Evaluated {
        /// Its `sys.config` as its providers would leave it.
        case text([UInt8])
        /// It ends in an error; with `isForeign` the running release does, too.
        case failed(String, isForeign: Bool)
    }

    private nonisolated(nonsending) static func evaluate(
        _ plan: Plan, _ files: HotUpgradeFiles, _ evaluation: Evaluation, _ loop: any SerialLoop
    ) async throws(FileSystemError) -> Evaluated {
        let first = try await evaluate(plan, in: files.staged, evaluation)
        if let reason = failure(of: first) {
            let command = try await loop.offload { () throws(FileSystemError) in
                try StartCommand.find(in: files.staged, application: plan.name, files: files.files)
            }
            // Only a script of `mix release` evaluates Elixir in a program of its own.
            guard command.arguments == ["start"] else { throw .unusable(reason) }
        }
        if let reason = failure(of: first), await fails(plan, in: files.current, evaluation) {
            return .failed(reason, isForeign: true)
        }
        // Something that both need may have been missing for a moment, so a release that fails is
        // asked again.
        let output =
            failure(of: first) == nil
            ? first : try await evaluate(plan, in: files.staged, evaluation)
        if let reason = failure(of: output) { return .failed(reason, isForeign: false) }
        let current = files.current
        return .text(
            try await loop.offload { () throws(FileSystemError) in
                try ResolvedConfiguration(output: output.standardOutput, root: current).text
            })
    }

    /// Asks the release in `folder` for its configuration after its providers have run.
    private nonisolated(nonsending) static func evaluate(
        _ plan: Plan, in folder: String, _ evaluation: Evaluation
    ) async throws(FileSystemError) -> ProgramOutput {
        let program = "\(folder)/bin/\(plan.name)"
        let output: ProgramOutput
        do {
            output = try await evaluation.run(
                program, ["eval", ResolvedConfiguration.expression], evaluation.environment,
                plan.timings.evaluation)
        } catch {
            throw .unusable("running \(program) eval: \(error)")
        }
        // It took too long, or the host ended it: that says nothing about the release.
        guard output.exitStatus < 128 else {
            throw .unusable("\(program) eval was killed: status \(output.exitStatus)")
        }
        return output
    }

    /// Whether the release in `folder` cannot be asked for its configuration.
    private nonisolated(nonsending) static func fails(
        _ plan: Plan, in folder: String, _ evaluation: Evaluation
    ) async -> Bool {
        do throws(FileSystemError) {
            return failure(of: try await evaluate(plan, in: folder, evaluation)) != nil
        } catch {
            return true
        }
    }

    /// How a release ended that did not print its configuration.
    private static func failure(of output: ProgramOutput) -> String? {
        guard output.exitStatus != 0 else { return nil }
        let exception = exceptionName(output.standardError).map { " (\($0))" } ?? ""
        return "it ended with status \(output.exitStatus)\(exception)"
    }

    /// The name of the Elixir exception that ended a program: `** (System.EnvError) …`. The rest of
    /// that line may hold a secret.
    private static func exceptionName(_ standardError: [UInt8]) -> String? {
        let text = String(decoding: standardError.prefix(65_536), as: UTF8.self)
        guard let start = text.firstRange(of: "** (")?.upperBound else { return nil }
        let name = text[start...].prefix {
            $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "_")
        }
        return name.isEmpty ? nil : String(name)
    }
}
