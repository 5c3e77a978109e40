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
    var state = State.idle
    /// Whether the one repetition after `existing_release` has not been used yet.
    var mayUnpackAgain = true

    package init(plan: HotUpgrade.Plan) {
        self.plan = plan
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
        case unpacking
        case findingRoot
        case makingRelup
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
    /// Begins. The running node is not needed yet.
    package mutating func start() -> [Action] {
        guard case .idle = state else { preconditionFailure("A hot upgrade starts once") }
        // The configuration comes first: it most often forbids a hot upgrade, and costs nothing.
        return perform(.evaluateConfiguration)
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
        case .unpacking: return unpacked(answer)
        case .findingRoot: return rootFound(answer)
        case .makingRelup: return relupMade(answer)
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
        case .unpacking: return unpackingFailed(reason, isCertain: false)
        case .findingRoot: return abandon("asking the node for its root folder: \(reason)")
        case .makingRelup: return abandon(failed: "systools:make_relup", reason)
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
        case .evaluateConfiguration: return whichReleases(.listing)
        case .placePackage:
            return call(
                .unpacking, "unpack_release", [.charlist("\(plan.to)/\(plan.name)")],
                plan.timings.preparation)
        case .copyReleaseResources:
            return call(.findingRoot, module: "code", "root_dir", [], plan.timings.question)
        case .inspectRelup:
            return call(
                .checking, "check_install_release", [.charlist(plan.to)],
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
        case .evaluateConfiguration: return fail("the configuration of \(plan.to): \(reason)")
        case .placePackage: return remove("placing the package: \(reason)", nodeIsUntouched: true)
        case .copyReleaseResources: return abandon("finding the .rel files: \(reason)")
        case .inspectRelup: return abandon("the relup: \(reason)")
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

    /// The new release has ended in an error when it was asked for its configuration.
    /// - Parameter isSo: whether the running release does so, too.
    package mutating func evaluationFailed(_ reason: String, ofRunningToo isSo: Bool) -> [Action] {
        guard case .doing(.evaluateConfiguration, _) = state else {
            preconditionFailure("No configuration is evaluated")
        }
        let text = "the configuration of \(plan.to): \(reason)"
        guard isSo else { return finish(.cannotBoot(reason: text)) }
        return finish(.hindered(reason: "\(text); that of \(plan.from), which runs, fails alike"))
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
        case .place: return perform(.placePackage)
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

    /// Ends an upgrade after unpacking and before installing.
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
