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
    ///   - mode: when the application is upgraded in place.
    package nonisolated(nonsending) static func decide(
        from running: String?, isConnected: Bool, to version: String, name: String, current: String,
        staged: String, mode: Mode = .appup, files: any FileSystem, loop: any SerialLoop
    ) async -> UpgradeDecision {
        guard mode != .off else { return .fullDeployment(reason: .off) }
        guard let from = running, !from.isEmpty else {
            return .fullDeployment(reason: .runningVersionUnknown)
        }
        guard from != version else { return .fullDeployment(reason: .sameVersion(version)) }
        guard isConnected else { return .fullDeployment(reason: .notConnected) }
        // What a node says of its code is an MD5.
        guard Digest.isAvailable(.md5) else { return .fullDeployment(reason: .withoutMD5) }
        return await loop.offload { () -> UpgradeDecision in
            var path = staged
            do throws(FileSystemError) {
                let upgrade = try StagedUpgrade.read(
                    staged, name: name, from: from, to: version, files: files)
                path = current
                let contents = try ReleaseContents.read(
                    current, name: name, version: from, files: files)
                let decision = UpgradeDecision.between(
                    from, in: contents, and: version, in: upgrade, mode: mode)
                guard case .hotUpgrade = decision else { return decision }
                let comparison = ReleaseComparison(
                    current: current, staged: staged, old: contents, new: upgrade.contents,
                    files: files)
                path = staged
                if let reason = try comparison.obstacle(takesProtocols: mode == .auto) {
                    return .fullDeployment(reason: reason)
                }
                guard mode == .auto,
                    !UpgradeDecision.appupsLead(
                        from: from, in: contents, to: version, in: upgrade)
                else { return decision }
                let (old, new) = try ReleaseCode.read(
                    from: from, in: current, to: version, in: staged, name: name, files: files)
                do throws(RelupRefusal) {
                    _ = try RelupWriter(root: current).relup(from: old, to: new)
                    return decision
                } catch {
                    return .fullDeployment(reason: .noRelup(error))
                }
            } catch {
                return .fullDeployment(reason: .unreadable(path: path, reason: "\(error)"))
            }
        }
    }

    /// Carries out a hot upgrade on `node` and returns how it ended. It never throws: every failure
    /// is an outcome.
    /// - Parameters:
    ///   - prepared: what ``prepare(_:files:evaluation:loop:)`` has made; `nil` to make it now.
    ///   - isResumed: an earlier deployex was cut off in it: see ``HotUpgradeMachine/resume()``.
    package nonisolated(nonsending) static func run(
        _ plan: Plan, on node: some RemoteNode, files: HotUpgradeFiles, evaluation: Evaluation,
        prepared: Prepared? = nil, isResumed: Bool = false, loop: any SerialLoop,
        log: @Sendable (LogLevel, String) -> Void
    ) async -> Outcome {
        guard !isResumed else {
            var machine = HotUpgradeMachine(plan: plan, root: files.current, applications: [])
            return await drive(
                &machine, machine.resume(), plan, on: node, files, nil, loop: loop, log: log)
        }
        let preparation: Preparation
        var made = prepared
        if made == nil {
            made = await prepare(plan, files: files, evaluation: evaluation, loop: loop)
        }
        switch made {
        case .ready(let ready): preparation = ready
        case .cannotBoot(let reason): return .cannotBoot(reason: reason)
        case .hindered(let reason): return .hindered(reason: reason)
        case .failed(let reason): return .failed(reason: reason, nodeIsUntouched: true)
        case nil: preconditionFailure("It has been prepared")
        }
        if let refusal = await Preflight(node: node).findings(preparation).refusal {
            return .failed(reason: refusal, nodeIsUntouched: true)
        }
        let supervisors = UnstartedChildren(
            node: node, applications: preparation.changedApplications, loop: loop)
        let unstarted = await supervisors.find()
        var machine = HotUpgradeMachine(
            plan: plan, root: files.current, applications: preparation.applications)
        let outcome = await drive(
            &machine, machine.start(), plan, on: node, files, preparation, loop: loop, log: log)
        guard outcome == .succeeded else { return outcome }
        let remains = await remains(supervisors, besides: unstarted, preparation, log)
        return remains == Remains() ? .succeeded : .succeededInPart(leftBehind: remains)
    }

    /// Does what the machine says until it ends.
    /// - Parameter preparation: `nil` for an upgrade that is resumed.
    private nonisolated(nonsending) static func drive(
        _ machine: inout HotUpgradeMachine, _ begin: [HotUpgradeMachine.Action], _ plan: Plan,
        on node: some RemoteNode, _ files: HotUpgradeFiles, _ preparation: Preparation?,
        loop: any SerialLoop, log: @Sendable (LogLevel, String) -> Void
    ) async -> Outcome {
        var actions = begin
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
                        try await loop.offload { () throws(FileSystemError) in
                            try perform(step, plan, files, preparation)
                        }
                        next = machine.fileDone()
                    } catch {
                        next = machine.fileFailed("\(error)")
                    }
                case .pause(let duration):
                    await loop.sleep(for: duration)
                    next = machine.pauseEnded()
                case .finish(let outcome): return outcome
                }
            }
            actions = next
        }
    }

    /// What the node has of the old release after the upgrade.
    /// - Parameter unstarted: the children that had no process before.
    private nonisolated(nonsending) static func remains(
        _ supervisors: UnstartedChildren, besides unstarted: UnstartedChildren.Found,
        _ preparation: Preparation, _ log: @Sendable (LogLevel, String) -> Void
    ) async -> Remains {
        let node = supervisors.node
        var remains = Remains(modules: nil)
        do throws(NodeError) {
            remains.modules = try await Preflight.modified(on: node, preparation)
        } catch {
            log(.warning, "Whether all modules run the new code is not known: \(error)")
        }
        do throws(NodeError) {
            let settings = try await Preflight.differingSettings(on: node, preparation)
            if !settings.isEmpty {
                log(
                    .warning,
                    "These settings are not as a start of the new release would set them: "
                        + listed(settings))
            }
        } catch {
            log(.warning, "Whether the new configuration is in effect is not known: \(error)")
        }
        let after = await supervisors.find()
        // One that was not seen before may be meant to have no process.
        let new = unstarted.isWhole ? after.children.subtracting(unstarted.children) : []
        remains.children = new.map(\.text).sorted()
        if !unstarted.isWhole || !after.isWhole {
            log(
                .warning,
                "Whether all new children are started is not known: the supervisors are too "
                    + "many or too slow to ask them all")
        }
        return remains
    }

    private static func perform(
        _ step: FileStep, _ plan: Plan, _ files: HotUpgradeFiles, _ preparation: Preparation?
    ) throws(FileSystemError) {
        func prepared() -> Preparation {
            guard let preparation else { preconditionFailure("A resumed upgrade installs nothing") }
            return preparation
        }
        switch step {
        case .placeRelease: try files.placeRelease(plan, prepared())
        case .writeConfiguration: try files.writeConfiguration(plan, prepared())
        case .restoreConfiguration: try files.restoreConfiguration(plan)
        case .removeRelease: try files.removeRelease(plan)
        }
    }
}
