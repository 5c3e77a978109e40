internal import ExternalTermFormat
internal import Supervisor
package import Transport

// What is made before the node is touched.

extension HotUpgrade {
    /// What an upgrade needs, made from the files of both releases and with the code of the new one.
    package struct Preparation: Equatable, Sendable {
        var configuration: ResolvedConfiguration
        /// `{TO, [{FROM, Descr, Instructions}], [{FROM, Descr, Instructions}]}`.
        var relup: Term
        /// Those of the new release.
        var applications: [ReleaseContents.Application]
        /// The folders in `lib/` that the running release consists of.
        var runningLibraries: Set<String>
        /// Those whose supervisors may have new children after the upgrade.
        var changedApplications: [String]
        /// The code of the release that runs, and of the new one.
        var (codeBefore, codeAfter): (CodeDigests, CodeDigests)
        /// The modules that the relup loads, and those whose processes wait meanwhile.
        var (loadedModules, suspendedModules): ([String], [String])
        /// What deployex has written itself; `nil` if `systools` has made the relup.
        var written: WrittenRelup?
    }

    /// What came of preparing an upgrade. The node is untouched in each case.
    package enum Prepared: Equatable, Sendable {
        case ready(Preparation)
        /// See ``Outcome/cannotBoot(reason:)``.
        case cannotBoot(reason: String)
        /// See ``Outcome/hindered(reason:)``.
        case hindered(reason: String)
        /// There is no way to upgrade in place.
        case failed(reason: String)
    }

    /// Makes what an upgrade needs. It takes the time of starting an emulator, and asks the running
    /// node nothing.
    package nonisolated(nonsending) static func prepare(
        _ plan: Plan, files: HotUpgradeFiles, evaluation: Evaluation, loop: any SerialLoop
    ) async -> Prepared {
        do throws(FileSystemError) {
            switch try await evaluate(plan, files, evaluation, loop) {
            case .failed(let reason, isForeign: false):
                return .cannotBoot(reason: "the configuration of \(plan.to): \(reason)")
            case .failed(let reason, isForeign: true):
                return .hindered(
                    reason: "the configuration of \(plan.to): \(reason); that of \(plan.from), "
                        + "which runs, fails alike")
            case .printed(let output):
                return .ready(
                    try await loop.offload { () throws(FileSystemError) in
                        try Preparation(plan, files, output)
                    })
            }
        } catch {
            return .failed(reason: "\(error)")
        }
    }

    /// The result of asking the new release.
    private enum Evaluated {
        case printed([UInt8])
        /// It ends in an error; with `isForeign` the running release does, too.
        case failed(String, isForeign: Bool)
    }

    private nonisolated(nonsending) static func evaluate(
        _ plan: Plan, _ files: HotUpgradeFiles, _ evaluation: Evaluation, _ loop: any SerialLoop
    ) async throws(FileSystemError) -> Evaluated {
        let running = try await loop.offload { () throws(FileSystemError) in
            try ReleaseContents.path(
                files.current, name: plan.name, version: plan.from, files: files.files)
        }
        let first = try await evaluate(plan, in: files.staged, evaluation, from: running, files)
        if let reason = failure(of: first) {
            let command = try await loop.offload { () throws(FileSystemError) in
                try StartCommand.find(in: files.staged, application: plan.name, files: files.files)
            }
            // Only a script of `mix release` evaluates Elixir in a program of its own.
            guard command.arguments == ["start"] else {
                throw .unusable("the configuration of \(plan.to): \(reason)")
            }
        }
        if let reason = failure(of: first), await fails(plan, evaluation, files) {
            return .failed(reason, isForeign: true)
        }
        // Something that both need may have been missing for a moment, so a release that fails is
        // asked again.
        let output =
            failure(of: first) == nil
            ? first : try await evaluate(plan, in: files.staged, evaluation, from: running, files)
        if let reason = failure(of: output) { return .failed(reason, isForeign: false) }
        return .printed(output.standardOutput)
    }

    /// Asks the release in `folder` for its configuration after its providers have run.
    /// - Parameter running: the `.rel` file of the release from which a relup is wanted, too.
    private nonisolated(nonsending) static func evaluate(
        _ plan: Plan, in folder: String, _ evaluation: Evaluation, from running: String?,
        _ files: HotUpgradeFiles
    ) async throws(FileSystemError) -> ProgramOutput {
        let program = "\(folder)/bin/\(plan.name)"
        var environment = evaluation.environment
        if let running {
            environment[StagedAnswer.Variable.runningRelease] = String(running.dropLast(4))
            environment[StagedAnswer.Variable.runningRoot] = files.current
        }
        let output: ProgramOutput
        do {
            output = try await evaluation.run(
                program, ["eval", StagedAnswer.expression], environment, plan.timings.evaluation)
        } catch {
            throw .unusable("the configuration of \(plan.to): running \(program) eval: \(error)")
        }
        // It took too long, or the host ended it: that says nothing about the release.
        guard output.exitStatus < 128 else {
            throw .unusable(
                "the configuration of \(plan.to): \(program) eval was killed: status "
                    + "\(output.exitStatus)")
        }
        return output
    }

    /// Whether the running release cannot be asked for its configuration.
    private nonisolated(nonsending) static func fails(
        _ plan: Plan, _ evaluation: Evaluation, _ files: HotUpgradeFiles
    ) async -> Bool {
        do throws(FileSystemError) {
            return failure(
                of: try await evaluate(plan, in: files.current, evaluation, from: nil, files))
                != nil
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

extension HotUpgrade.Preparation {
    /// Reads both releases, and what the new one has printed. It blocks.
    /// - Throws: why there is no way to upgrade in place.
    init(
        _ plan: HotUpgrade.Plan, _ files: HotUpgradeFiles, _ output: [UInt8]
    ) throws(FileSystemError) {
        let comparison = try ReleaseComparison.read(
            current: files.current, staged: files.staged, name: plan.name, from: plan.from,
            to: plan.to, files: files.files)
        (codeBefore, codeAfter) = try CodeDigests.read(
            comparison.old, in: files.current, comparison.new, in: files.staged, files: files.files)
        (applications, changedApplications) = (
            comparison.new.applications, comparison.new.applications(changedSince: comparison.old)
        )
        runningLibraries = Set(comparison.old.applications.compactMap(\.folderName))
        let answer = try StagedAnswer(output: output)
        let protocols: Set<String>
        (relup, written, protocols) = try Self.relup(answer, plan, files)
        let (before, after) = (codeBefore, codeAfter)
        do throws(FileSystemError) {
            configuration = try ResolvedConfiguration(answer, root: files.current) {
                before.has($0, $1) && after.has($0, $1)
            }
        } catch {
            throw .unusable("the configuration of \(plan.to): \(error)")
        }
        do throws(FileSystemError) {
            let relup = try Relup(ErlangFile.bytes([relup]))
            (loadedModules, suspendedModules) = (
                relup.loadedModules(from: plan.from).sorted(),
                relup.suspendedModules(from: plan.from).sorted()
            )
            guard relup.leads(from: plan.from) else {
                throw .unusable("it does not lead from \(plan.from)")
            }
            guard !relup.restartsEmulator(from: plan.from) else {
                throw .unusable("it restarts the emulator")
            }
            // What deployex writes leaves nothing out.
            if written == nil,
                let omission = try comparison.omission(in: relup, besides: protocols)
            {
                throw .unusable(omission)
            }
        } catch {
            throw .unusable("the relup: \(error)")
        }
    }

    /// The relup, what deployex has written of it, and the protocols that it takes from where mix
    /// has consolidated them.
    private static func relup(
        _ answer: StagedAnswer, _ plan: HotUpgrade.Plan, _ files: HotUpgradeFiles
    ) throws(FileSystemError) -> (Term, written: WrittenRelup?, protocols: Set<String>) {
        guard plan.mode == .auto else { return (try Self.made(answer), nil, []) }
        let (old, new) = try ReleaseCode.read(
            from: plan.from, in: files.current, to: plan.to, in: files.staged, name: plan.name,
            files: files.files)
        let writer = RelupWriter(root: files.current)
        do throws(RelupRefusal) {
            // Without an appup for each application that changes there is none.
            guard answer.relup.asTuple?.first == .atom(.ok), let made = answer.relup.asTuple?.last
            else {
                let written = try writer.relup(from: old, to: new)
                return (written.term, written, [])
            }
            let completion = try RelupCompletion(from: old, to: new, writer: writer)
            return (try completion.completed(relup: made), nil, Set(new.consolidated.keys))
        } catch {
            throw .unusable("the relup: \(error)")
        }
    }

    /// The relup that `systools` has made.
    private static func made(_ answer: StagedAnswer) throws(FileSystemError) -> Term {
        guard let parts = answer.relup.asTuple, parts.count == 2 else {
            throw .unusable("the release printed no relup")
        }
        guard parts[0] == .atom(.ok) else {
            throw .unusable(
                "systools:make_relup failed, reason: "
                    + withOutput("error", parts[1].asText ?? shortened(parts[1])))
        }
        return parts[1]
    }
}
