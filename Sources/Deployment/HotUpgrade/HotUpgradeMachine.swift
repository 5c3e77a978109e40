package import ErlDist
package import ExternalTermFormat

/// Decides the order of one hot upgrade, and the meaning of every answer to its calls.
///
/// Until `install_release` is called, the running code is not touched: an earlier failure leaves
/// the node as it was, and the unpacked release is unregistered and removed again. From then on
/// only `which_releases` tells which version the node runs; a lost connection or a timeout says
/// nothing.
///
/// It does no I/O and reads no clock. Each event returns lines for the log and the one next step,
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

    let plan: HotUpgrade.Plan
    /// The folder of the running release.
    let root: String
    /// Those of the new release.
    let applications: [ReleaseContents.Application]
    var state = State.idle
    /// Whether the one repetition after `existing_release` has not been used yet.
    var mayRegisterAgain = true

    init(plan: HotUpgrade.Plan, root: String, applications: [ReleaseContents.Application]) {
        self.plan = plan
        self.root = root
        self.applications = applications
    }
}

extension HotUpgradeMachine {
    enum State {
        case idle
        case calling(Call)
        /// A step on files is under way; `then` says what follows if that depends on the reason.
        case doing(HotUpgrade.FileStep, then: Then?)
        case pausing(Question)
        case finished
    }

    /// A question or an order to the node.
    enum Call {
        case listing
        case unregistering(Then)
        case registering
        case checking
        case installing
        case makingPermanent
        case asking(Question)
    }

    /// Why the node is asked which release it runs.
    struct Question {
        enum Cause: Equatable {
            /// `make_permanent` has said `ok`.
            case verification
            /// It is uncertain whether `install_release` has succeeded or failed.
            case installation(reason: String)
            /// `install_release` has failed: the node may restart now, on the old release.
            case failedInstallation(reason: String)
            /// `make_permanent` has not said `ok`.
            case permanence(reason: String)
            /// The deployex that did the upgrade has ended during it.
            case interruption
        }

        var cause: Cause
        var attempt = 1
    }

    /// The continuation after a step that is needed in several places.
    enum Then {
        case place
        case makePermanent
        case succeed
        case remove(reason: String, nodeIsUntouched: Bool)
        case ask(Question.Cause)
        case fail(reason: String, nodeIsUntouched: Bool)
        /// The node restarts itself, so its answers from now on are of no use.
        case giveUp(reason: String)
        case finish(HotUpgrade.Outcome)
    }
}

// MARK: - Events

extension HotUpgradeMachine {
    /// Begins an upgrade that is prepared.
    package mutating func start() -> [Action] {
        guard case .idle = state else { preconditionFailure("A hot upgrade starts once") }
        return whichReleases(.listing)
    }

    /// Resumes an upgrade in which an earlier deployex was cut off at an unknown point. Asks the
    /// node which release it runs. Then finishes the upgrade if the new release is installed, or
    /// else clears it.
    package mutating func resume() -> [Action] {
        guard case .idle = state else { preconditionFailure("A hot upgrade begins once") }
        return ask(Question(cause: .interruption))
    }

    /// A call has returned `term` and printed `output`.
    package mutating func callAnswered(_ term: Term, output: String = "") -> [Action] {
        let answer = Answer(term, output: output)
        guard case .calling(let call) = state else { preconditionFailure("No call is under way") }
        switch call {
        case .listing: return listed(answer)
        case .unregistering(let then): return unregistered(answer, then: then)
        case .registering: return registered(answer)
        case .checking: return checked(answer)
        case .installing: return installed(answer)
        case .makingPermanent: return madePermanent(answer)
        case .asking(let question): return asked(question, answer)
        }
    }

    /// A call has no result.
    package mutating func callFailed(_ error: RemoteCallError, output: String = "") -> [Action] {
        let reason = withOutput(error.description, output)
        guard case .calling(let call) = state else { preconditionFailure("No call is under way") }
        switch call {
        case .listing: return fail("asking the node for its releases: \(reason)")
        case .unregistering(let then): return notUnregistered(reason, then: then)
        case .registering: return registrationFailed(reason, isCertain: false)
        case .checking:
            return abandon(failed: "release_handler:check_install_release", reason)
        case .installing:
            switch error {
            case .unreachable, .refused:
                // It was never sent: the old code still runs, if any.
                return abandon(failed: "release_handler:install_release", reason)
            case .connectionLost, .timedOut, .exception: return outcomeUnknown(reason)
            }
        case .makingPermanent: return permanenceFailed(reason)
        case .asking(let question): return notAnswered(question, reason)
        }
    }

    /// The file step is done.
    package mutating func fileDone() -> [Action] {
        guard case .doing(let step, let then) = state else {
            preconditionFailure("No step is under way")
        }
        switch step {
        case .placeRelease:
            let libraries = applications.map { application -> Term in
                .tuple([
                    .atom(Atom(shortEnough: application.name)), .charlist(application.version),
                    // Relative to the root of the release, as `unpack_release` has them: so
                    // `RELEASES` stays right when the folder is renamed.
                    .charlist("lib"),
                ])
            }
            let file = "\(root)/releases/\(plan.to)/\(plan.name).rel"
            return call(
                .registering, "set_unpacked", [.charlist(file), .list(libraries)],
                plan.timings.preparation)
        case .writeConfiguration:
            let options: Term = [.tuple([.atom("update_paths"), true])]
            return call(
                .installing, "install_release", [.charlist(plan.to), options],
                plan.timings.installation)
        case .restoreConfiguration, .removeRelease: return follow(then)
        }
    }

    /// The file step could not be done.
    package mutating func fileFailed(_ reason: String) -> [Action] {
        guard case .doing(let step, let then) = state else {
            preconditionFailure("No step is under way")
        }
        switch step {
        case .placeRelease:
            return remove("placing the release: \(reason)", nodeIsUntouched: true)
        case .writeConfiguration: return abandon("writing the resolved configuration: \(reason)")
        case .restoreConfiguration:
            // The installed release does not suffer, and the next start tries again.
            let text =
                "The pristine sys.config of \(plan.to) could not be put back, reason: \(reason)"
            return [.log(.error, text)] + follow(then)
        case .removeRelease:
            return [.log(.warning, "Files of \(plan.to) are left behind, reason: \(reason)")]
                + follow(then)
        }
    }

    /// The pause is over.
    package mutating func pauseEnded() -> [Action] {
        guard case .pausing(let question) = state else {
            preconditionFailure("No pause is under way")
        }
        return whichReleases(.asking(question))
    }
}

// MARK: - Steps needed in several places

extension HotUpgradeMachine {
    mutating func follow(_ then: Then?) -> [Action] {
        switch then {
        case nil: preconditionFailure("Something follows a step that is needed in several places")
        case .place: return perform(.placeRelease)
        case .makePermanent: return makePermanent()
        case .succeed:
            return [.log(.info, "Made release permanent: \(plan.to)")] + finish(.succeeded)
        case .remove(let reason, let nodeIsUntouched):
            return unregister(then: .remove(reason: reason, nodeIsUntouched: nodeIsUntouched))
        case .ask(let cause):
            // A failed installation restarts the node at once. If we ask too early, the old
            // release_handler answers, and would be cut off while it writes its RELEASES.
            state = .pausing(Question(cause: cause))
            return [.pause(plan.timings.pause)]
        case .fail(let reason, let nodeIsUntouched):
            return fail(reason, nodeIsUntouched: nodeIsUntouched)
        case .giveUp(let reason):
            return perform(.removeRelease, then: .finish(.restarting(reason: reason)))
        case .finish(let outcome): return finish(outcome)
        }
    }

    mutating func restoreConfiguration(then: Then) -> [Action] {
        perform(.restoreConfiguration, then: then)
    }

    /// Makes the node forget the new version without deleting files. `remove_release` would delete
    /// them, even libraries in use if the node was booted without a RELEASES file.
    mutating func unregister(then: Then) -> [Action] {
        call(
            .unregistering(then), "set_removed", [.charlist(plan.to)], plan.timings.preparation)
    }

    mutating func unregistered(_ answer: Answer, then: Then) -> [Action] {
        switch answer.kind {
        case .ok:
            return afterUnregistering(then)
        case .error(let reason) where reason.asTuple?.first == .atom("no_such_release"):
            return afterUnregistering(then)
        case .error, .badRPC, .other:
            return notUnregistered(answer.text, then: then)
        }
    }

    mutating func afterUnregistering(_ then: Then) -> [Action] {
        if case .remove(let reason, let nodeIsUntouched) = then {
            return remove(reason, nodeIsUntouched: nodeIsUntouched)
        }
        return follow(then)
    }

    mutating func notUnregistered(_ reason: String, then: Then) -> [Action] {
        let line = "release_handler:set_removed failed, reason: \(reason)"
        switch then {
        case .remove(let cause, let nodeIsUntouched):
            // The next attempt finds the release registered, and first unregisters it.
            return [.log(.warning, line)] + remove(cause, nodeIsUntouched: nodeIsUntouched)
        case .place, .makePermanent, .succeed, .ask, .fail, .giveUp, .finish:
            return [.log(.error, line)] + fail(line)
        }
    }

    /// Ends an upgrade after registering and before installing.
    mutating func abandon(_ reason: String) -> [Action] {
        unregister(then: .remove(reason: reason, nodeIsUntouched: true))
    }

    /// The same, because `call` has failed.
    mutating func abandon(failed call: String, _ reason: String) -> [Action] {
        let line = "\(call) failed, reason: \(reason)"
        return [.log(.error, line)] + abandon(line)
    }

    mutating func remove(_ reason: String, nodeIsUntouched: Bool) -> [Action] {
        perform(.removeRelease, then: .fail(reason: reason, nodeIsUntouched: nodeIsUntouched))
    }

    mutating func fail(_ reason: String, nodeIsUntouched: Bool = true) -> [Action] {
        finish(.failed(reason: reason, nodeIsUntouched: nodeIsUntouched))
    }

    mutating func finish(_ outcome: HotUpgrade.Outcome) -> [Action] {
        state = .finished
        return [.finish(outcome)]
    }

    mutating func perform(_ step: HotUpgrade.FileStep, then: Then? = nil) -> [Action] {
        state = .doing(step, then: then)
        return [.file(step)]
    }

    mutating func whichReleases(_ call: Call) -> [Action] {
        self.call(call, "which_releases", [], plan.timings.question)
    }

    mutating func call(
        _ call: Call, module: Atom = "release_handler", _ function: Atom, _ arguments: [Term],
        _ timeout: Duration
    ) -> [Action] {
        state = .calling(call)
        return [.call(module: module, function: function, arguments: arguments, timeout: timeout)]
    }
}
