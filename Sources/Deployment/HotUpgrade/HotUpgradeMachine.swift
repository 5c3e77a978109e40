package import ExternalTermFormat

/// The order of one hot upgrade, and what every answer to each of its calls means.
///
/// Until `install_release` is called, the running code is not touched: a failure before leaves the
/// node as it was, and what was unpacked is unregistered and removed again. From then on only
/// `which_releases` tells what the node runs; a lost connection or a timeout says nothing.
///
/// It does no I/O and reads no clock: each event returns what to log and the one thing to do next,
/// whose end is the next event.
///
/// Source: `release_handler`, SASL; "Release Handling", OTP Design Principles.
package struct HotUpgradeMachine: Sendable {
    package enum Action: Equatable, Sendable {
        case log(LogLevel, String)
        /// Ends with ``HotUpgradeMachine/callAnswered(_:output:)`` or
        /// ``HotUpgradeMachine/callFailed(_:output:)``.
        case call(module: Atom, function: Atom, arguments: [Term], timeout: Duration)
        /// Ends with ``HotUpgradeMachine/fileDone()`` or ``HotUpgradeMachine/fileFailed(_:)``.
        case file(HotUpgrade.FileStep)
        /// Ends with ``HotUpgradeMachine/pauseEnded()``.
        case pause(Duration)
        /// Nothing follows.
        case finish(HotUpgrade.Outcome)
    }

    private let plan: HotUpgrade.Plan
    private var state = State.idle
    /// Whether the one repetition after `existing_release` is still to be had.
    private var mayUnpackAgain = true

    package init(plan: HotUpgrade.Plan) {
        self.plan = plan
    }
}

extension HotUpgradeMachine {
    private enum State {
        case idle
        case evaluatingConfiguration
        case listing
        case unregistering(Then)
        case placing
        case unpacking
        case copyingResources
        case findingRoot
        case makingRelup
        case inspectingRelup
        case checking
        case writingConfiguration
        case installing
        case restoringConfiguration(Then)
        case makingPermanent
        case pausing(Question)
        case asking(Question)
        case removing(reason: String, nodeIsUntouched: Bool)
        case finished
    }

    /// Why the node is asked what it runs.
    private struct Question {
        enum Cause: Equatable {
            /// `make_permanent` has said `ok`.
            case verification
            /// `install_release` has neither succeeded nor failed for certain.
            case installation(reason: String)
            /// `install_release` has failed: the node may restart now, on the old release.
            case failedInstallation(reason: String)
            /// `make_permanent` has not said `ok`.
            case permanence(reason: String)
        }

        var cause: Cause
        var attempt = 1
    }

    /// What follows a step that is needed in several places.
    private enum Then {
        case place
        case makePermanent
        case succeed
        case remove(reason: String, nodeIsUntouched: Bool)
        case ask(Question.Cause)
        case fail(reason: String)
    }
}

// MARK: - Events

extension HotUpgradeMachine {
    /// Begins. The running node is not needed yet.
    package mutating func start() -> [Action] {
        guard case .idle = state else { preconditionFailure("A hot upgrade starts once") }
        // The configuration first: it is what most often forbids a hot upgrade, and costs nothing.
        state = .evaluatingConfiguration
        return [.file(.evaluateConfiguration)]
    }

    /// A call has returned `term`, and printed `output` meanwhile.
    package mutating func callAnswered(_ term: Term, output: String = "") -> [Action] {
        let answer = Answer(term, output: output)
        switch state {
        case .listing: return listed(answer)
        case .unregistering(let then): return unregistered(answer, then: then)
        case .unpacking: return unpacked(answer)
        case .findingRoot: return rootFound(answer)
        case .makingRelup: return relupMade(answer)
        case .checking: return checked(answer)
        case .installing: return installed(answer)
        case .makingPermanent: return madePermanent(answer)
        case .asking(let question): return asked(question, answer)
        case .idle, .evaluatingConfiguration, .placing, .copyingResources, .inspectingRelup,
            .writingConfiguration, .restoringConfiguration, .pausing, .removing, .finished:
            preconditionFailure("No call is under way")
        }
    }

    /// A call has no result.
    package mutating func callFailed(_ error: RemoteCallError, output: String = "") -> [Action] {
        let reason = withOutput(error.description, output)
        switch state {
        case .listing: return fail("asking the node for its releases: \(reason)")
        case .unregistering(let then): return notUnregistered(reason, then: then)
        case .unpacking: return unpackingFailed(reason, isCertain: false)
        case .findingRoot: return abandon("asking the node for its root folder: \(reason)")
        case .makingRelup: return relupFailed(reason)
        case .checking: return checkFailed(reason)
        case .installing:
            if case .unreachable = error {
                // Never sent: the old code still runs, if anything does.
                return installationNotAttempted(reason)
            }
            return outcomeUnknown(reason)
        case .makingPermanent: return permanenceFailed(reason)
        case .asking(let question): return notAnswered(question, reason)
        case .idle, .evaluatingConfiguration, .placing, .copyingResources, .inspectingRelup,
            .writingConfiguration, .restoringConfiguration, .pausing, .removing, .finished:
            preconditionFailure("No call is under way")
        }
    }

    /// The file step is done.
    package mutating func fileDone() -> [Action] {
        switch state {
        case .evaluatingConfiguration:
            state = .listing
            return [whichReleases]
        case .placing:
            state = .unpacking
            return [
                call(
                    "release_handler", "unpack_release", [.charlist("\(plan.to)/\(plan.name)")],
                    plan.timings.preparation)
            ]
        case .copyingResources:
            state = .findingRoot
            return [call("code", "root_dir", [], plan.timings.question)]
        case .inspectingRelup:
            state = .checking
            return [
                call(
                    "release_handler", "check_install_release", [.charlist(plan.to)],
                    plan.timings.preparation)
            ]
        case .writingConfiguration:
            state = .installing
            let options: Term = [.tuple([.atom("update_paths"), true])]
            return [
                call(
                    "release_handler", "install_release", [.charlist(plan.to), options],
                    plan.timings.installation)
            ]
        case .restoringConfiguration(let then):
            return follow(then)
        case .removing(let reason, let nodeIsUntouched):
            return finish(.failed(reason: reason, nodeIsUntouched: nodeIsUntouched))
        case .idle, .listing, .unregistering, .unpacking, .findingRoot, .makingRelup, .checking,
            .installing, .makingPermanent, .pausing, .asking, .finished:
            preconditionFailure("No file step is under way")
        }
    }

    /// The file step could not be done.
    package mutating func fileFailed(_ reason: String) -> [Action] {
        switch state {
        case .evaluatingConfiguration:
            return fail("the configuration of \(plan.to): \(reason)")
        case .placing:
            return remove("placing the package: \(reason)", nodeIsUntouched: true)
        case .copyingResources:
            return abandon("finding the .rel files: \(reason)")
        case .inspectingRelup:
            return abandon("the relup: \(reason)")
        case .writingConfiguration:
            return abandon("writing the resolved configuration: \(reason)")
        case .restoringConfiguration(let then):
            // What was installed is not worse for it, and the next start tries again.
            return [
                .log(
                    .error,
                    "The pristine sys.config of \(plan.to) could not be put back, reason: \(reason)"
                )
            ] + follow(then)
        case .removing(let cause, let nodeIsUntouched):
            return [.log(.warning, "Files of \(plan.to) are left behind, reason: \(reason)")]
                + finish(.failed(reason: cause, nodeIsUntouched: nodeIsUntouched))
        case .idle, .listing, .unregistering, .unpacking, .findingRoot, .makingRelup, .checking,
            .installing, .makingPermanent, .pausing, .asking, .finished:
            preconditionFailure("No file step is under way")
        }
    }

    /// The pause is over.
    package mutating func pauseEnded() -> [Action] {
        guard case .pausing(let question) = state else {
            preconditionFailure("No pause is under way")
        }
        state = .asking(question)
        return [whichReleases]
    }
}

// MARK: - Before the installation

extension HotUpgradeMachine {
    private mutating func listed(_ answer: Answer) -> [Action] {
        guard case .other(let term) = answer.kind, let releases = ReleaseList(term),
            let running = releases.running
        else {
            return fail("release_handler:which_releases answered \(answer.text)")
        }
        guard running.name == plan.name else {
            return fail("the node runs the release \(running.name), not \(plan.name)")
        }
        if running.version == plan.to {
            // An earlier attempt was interrupted after its installation: what is left is done now.
            return restoreConfiguration(
                then: running.status == .permanent ? .succeed : .makePermanent)
        }
        guard running.version == plan.from else {
            return fail("the node runs \(running.version), not \(plan.from)")
        }
        switch releases.status(of: plan.to) {
        case nil: return place()
        // Perhaps with the files of another package: they would stay, silently.
        case .unpacked, .old: return unregister(then: .place)
        case .current, .permanent:
            return fail("the node is between two releases, and \(plan.to) is what boots next")
        }
    }

    private mutating func place() -> [Action] {
        state = .placing
        return [.file(.placePackage)]
    }

    private mutating func unpacked(_ answer: Answer) -> [Action] {
        switch answer.kind {
        case .ok(let values) where values.first?.asText == plan.to:
            state = .copyingResources
            return [
                .log(.info, "Unpacked successfully: ~c\"\(plan.to)\""),
                .file(.copyReleaseResources),
            ]
        case .error(let reason):
            if let parts = reason.asTuple, parts.first == .atom("existing_release"),
                parts.last?.asText == plan.to, mayUnpackAgain
            {
                mayUnpackAgain = false
                return unregister(then: .place)
            }
            return unpackingFailed(answer.text, isCertain: true)
        case .ok, .badRPC, .other:
            return unpackingFailed(answer.text, isCertain: false)
        }
    }

    /// - Parameter isCertain: the node has not unpacked it.
    private mutating func unpackingFailed(_ reason: String, isCertain: Bool) -> [Action] {
        let line = "Error while unpacking the release \(plan.to), reason: \(reason)"
        return [.log(.error, line)]
            + (isCertain ? remove(line, nodeIsUntouched: true) : abandon(line))
    }

    private mutating func rootFound(_ answer: Answer) -> [Action] {
        guard case .other(let term) = answer.kind, let root = term.asText, root.hasPrefix("/")
        else {
            return abandon("code:root_dir answered \(answer.text)")
        }
        state = .makingRelup
        let new: Term = .charlist("\(root)/releases/\(plan.name)-\(plan.to)")
        let old: Term = .charlist("\(root)/releases/\(plan.name)-\(plan.from)")
        let path: Term = [
            .charlist("\(root)/lib/*/ebin"), .charlist("\(root)/releases/*/\(plan.name)"),
        ]
        let options: Term = [
            .tuple([.atom("path"), path]),
            .tuple([.atom("outdir"), .charlist("\(root)/releases/\(plan.to)")]),
        ]
        return [
            call("systools", "make_relup", [new, [old], [old], options], plan.timings.preparation)
        ]
    }

    private mutating func relupMade(_ answer: Answer) -> [Action] {
        // `{ok, Relup, Module, Warnings}` is the answer where it is asked not to print.
        switch answer.kind {
        case .ok:
            state = .inspectingRelup
            return [.file(.inspectRelup)]
        case .error, .badRPC, .other:
            return relupFailed(answer.text)
        }
    }

    private mutating func relupFailed(_ reason: String) -> [Action] {
        let line = "systools:make_relup failed, reason: \(reason)"
        return [.log(.error, line)] + abandon(line)
    }

    private mutating func checked(_ answer: Answer) -> [Action] {
        // Without a relup the answer is `{ok, TO, []}`: only FROM says that there is a way from it.
        guard case .ok(let values) = answer.kind, values.first?.asText == plan.from else {
            return checkFailed(answer.text)
        }
        state = .writingConfiguration
        return [.file(.writeConfiguration)]
    }

    private mutating func checkFailed(_ reason: String) -> [Action] {
        let line = "release_handler:check_install_release failed, reason: \(reason)"
        return [.log(.error, line)] + abandon(line)
    }
}

// MARK: - From the installation on

extension HotUpgradeMachine {
    private mutating func installed(_ answer: Answer) -> [Action] {
        switch answer.kind {
        case .ok:
            return [installedLine] + restoreConfiguration(then: .makePermanent)
        case .error, .other:
            // Also `{continue_after_restart, FROM, Descr}`: a new emulator starts.
            let line = "release_handler:install_release failed, reason: \(answer.text)"
            return [.log(.error, line)]
                + restoreConfiguration(then: .ask(.failedInstallation(reason: line)))
        case .badRPC:
            return outcomeUnknown(answer.text)
        }
    }

    private var installedLine: Action {
        .log(.info, "Installed Release: ~c\"\(plan.to)\"")
    }

    private mutating func installationNotAttempted(_ reason: String) -> [Action] {
        let line = "release_handler:install_release failed, reason: \(reason)"
        return [.log(.error, line)] + abandon(line)
    }

    private mutating func outcomeUnknown(_ reason: String) -> [Action] {
        let line = "release_handler:install_release failed, reason: \(reason)"
        // The node may still be reading the resolved configuration: it stays until the node has answered.
        return [.log(.warning, "\(line); asking the node what it runs")]
            + ask(Question(cause: .installation(reason: line)))
    }

    private mutating func makePermanent() -> [Action] {
        state = .makingPermanent
        return [
            call(
                "release_handler", "make_permanent", [.charlist(plan.to)], plan.timings.preparation)
        ]
    }

    private mutating func madePermanent(_ answer: Answer) -> [Action] {
        guard case .ok(let values) = answer.kind, values.isEmpty else {
            return permanenceFailed(answer.text)
        }
        return ask(Question(cause: .verification))
    }

    private mutating func permanenceFailed(_ reason: String) -> [Action] {
        let line =
            "Error while trying to set a permanent version for \(plan.to), reason: \(reason)"
        return [.log(.error, line)] + ask(Question(cause: .permanence(reason: line)))
    }

    private mutating func asked(_ question: Question, _ answer: Answer) -> [Action] {
        guard case .other(let term) = answer.kind, let releases = ReleaseList(term),
            let running = releases.running
        else {
            return notAnswered(question, "release_handler:which_releases answered \(answer.text)")
        }
        let isRunning = running.name == plan.name && running.version == plan.to
        switch question.cause {
        case .verification, .permanence:
            guard isRunning, running.status == .permanent else {
                return fail(
                    reason(of: question) + "; the node runs \(running.version)",
                    nodeIsUntouched: false)
            }
            return [.log(.info, "Made release permanent: \(plan.to)")] + finish(.succeeded)
        case .installation(let reason):
            guard isRunning else {
                return restoreConfiguration(
                    then: clearing(releases, reason + "; the node runs \(running.version)"))
            }
            return [installedLine]
                + restoreConfiguration(
                    then: running.status == .permanent ? .succeed : .makePermanent)
        case .failedInstallation(let reason):
            return follow(clearing(releases, reason + "; the node runs \(running.version)"))
        }
    }

    /// What is left to do about the new version after a failed installation.
    private func clearing(_ releases: ReleaseList, _ reason: String) -> Then {
        switch releases.status(of: plan.to) {
        case .unpacked, .old: .remove(reason: reason, nodeIsUntouched: false)
        case .current, .permanent, nil: .fail(reason: reason)
        }
    }

    private mutating func notAnswered(_ question: Question, _ reason: String) -> [Action] {
        guard question.attempt < plan.timings.attempts else {
            let text = self.reason(of: question) + "; what the node runs is unknown: \(reason)"
            if case .installation = question.cause {
                return restoreConfiguration(then: .fail(reason: text))
            }
            return fail(text, nodeIsUntouched: false)
        }
        var next = question
        next.attempt += 1
        state = .pausing(next)
        return [.pause(plan.timings.pause)]
    }

    private func reason(of question: Question) -> String {
        switch question.cause {
        case .verification: "the release \(plan.to) is not permanent"
        case .installation(let reason), .failedInstallation(let reason), .permanence(let reason):
            reason
        }
    }

    private mutating func ask(_ question: Question) -> [Action] {
        state = .asking(question)
        return [whichReleases]
    }
}

// MARK: - Steps needed in several places

extension HotUpgradeMachine {
    private mutating func follow(_ then: Then) -> [Action] {
        switch then {
        case .place: return place()
        case .makePermanent: return makePermanent()
        case .succeed:
            return [.log(.info, "Made release permanent: \(plan.to)")] + finish(.succeeded)
        case .remove(let reason, let nodeIsUntouched):
            return unregister(then: .remove(reason: reason, nodeIsUntouched: nodeIsUntouched))
        case .ask(let cause):
            // A failed installation restarts the node at once. Asked too early, the old
            // release_handler answers, and would be cut off while it writes its RELEASES.
            state = .pausing(Question(cause: cause))
            return [.pause(plan.timings.pause)]
        case .fail(let reason): return fail(reason, nodeIsUntouched: false)
        }
    }

    private mutating func restoreConfiguration(then: Then) -> [Action] {
        state = .restoringConfiguration(then)
        return [.file(.restoreConfiguration)]
    }

    /// Makes the node forget the new version. It deletes no files, as `remove_release` would: that one
    /// deletes libraries in use where the node was booted without a RELEASES file.
    private mutating func unregister(then: Then) -> [Action] {
        state = .unregistering(then)
        return [
            call(
                "release_handler", "set_removed", [.charlist(plan.to)], plan.timings.preparation)
        ]
    }

    private mutating func unregistered(_ answer: Answer, then: Then) -> [Action] {
        switch answer.kind {
        case .ok:
            return afterUnregistering(then)
        case .error(let reason) where reason.asTuple?.first == .atom("no_such_release"):
            return afterUnregistering(then)
        case .error, .badRPC, .other:
            return notUnregistered(answer.text, then: then)
        }
    }

    private mutating func afterUnregistering(_ then: Then) -> [Action] {
        if case .remove(let reason, let nodeIsUntouched) = then {
            return remove(reason, nodeIsUntouched: nodeIsUntouched)
        }
        return follow(then)
    }

    private mutating func notUnregistered(_ reason: String, then: Then) -> [Action] {
        let line = "release_handler:set_removed failed, reason: \(reason)"
        switch then {
        case .remove(let cause, let nodeIsUntouched):
            // The next attempt finds the release registered, and begins by unregistering it.
            return [.log(.warning, line)] + remove(cause, nodeIsUntouched: nodeIsUntouched)
        case .place, .makePermanent, .succeed, .ask, .fail:
            return [.log(.error, line)] + fail(line)
        }
    }

    /// Ends an upgrade after unpacking and before installing.
    private mutating func abandon(_ reason: String) -> [Action] {
        unregister(then: .remove(reason: reason, nodeIsUntouched: true))
    }

    private mutating func remove(_ reason: String, nodeIsUntouched: Bool) -> [Action] {
        state = .removing(reason: reason, nodeIsUntouched: nodeIsUntouched)
        return [.file(.removeRelease)]
    }

    private mutating func fail(_ reason: String, nodeIsUntouched: Bool = true) -> [Action] {
        finish(.failed(reason: reason, nodeIsUntouched: nodeIsUntouched))
    }

    private mutating func finish(_ outcome: HotUpgrade.Outcome) -> [Action] {
        state = .finished
        return [.finish(outcome)]
    }

    private var whichReleases: Action {
        call("release_handler", "which_releases", [], plan.timings.question)
    }

    private func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], _ timeout: Duration
    ) -> Action {
        .call(module: module, function: function, arguments: arguments, timeout: timeout)
    }
}
