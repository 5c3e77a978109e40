internal import ErlDist
internal import ExternalTermFormat

// The meaning of answers from the installation on: only the node's list of releases says what it
// runs.

extension HotUpgradeMachine {
    mutating func installed(_ answer: Answer) -> [Action] {
        switch answer.kind {
        case .ok:
            return [installedLine] + restoreConfiguration(then: .makePermanent)
        case .error, .other:
            // Also `{continue_after_restart, FROM, Descr}`: a new emulator starts.
            let line = "release_handler:install_release failed, reason: \(answer.text)"
            let then =
                answer.restartsNode
                ? Then.giveUp(reason: line) : .ask(.failedInstallation(reason: line))
            return [.log(.error, line)] + restoreConfiguration(then: then)
        case .badRPC:
            return outcomeUnknown(answer.text)
        }
    }

    /// Does the remaining work after an installation that has happened.
    mutating func foundInstalled(_ running: ReleaseList.Entry) -> [Action] {
        [installedLine]
            + restoreConfiguration(
                then: running.status == .permanent ? .succeed : .makePermanent)
    }

    var installedLine: Action {
        .log(.info, "Installed Release: ~c\"\(plan.to)\"")
    }

    mutating func outcomeUnknown(_ reason: String) -> [Action] {
        let line = "release_handler:install_release failed, reason: \(reason)"
        // The node may still be reading the resolved configuration, so it stays until the node has
        // answered.
        return [.log(.warning, "\(line); asking the node what it runs")]
            + ask(Question(cause: .installation(reason: line)))
    }

    mutating func makePermanent() -> [Action] {
        call(
            .makingPermanent, "make_permanent", [.charlist(plan.to)], plan.timings.preparation)
    }

    mutating func madePermanent(_ answer: Answer) -> [Action] {
        guard case .ok(let values) = answer.kind, values.isEmpty else {
            return permanenceFailed(answer.text)
        }
        return ask(Question(cause: .verification))
    }

    mutating func permanenceFailed(_ reason: String) -> [Action] {
        let line =
            "Error while trying to set a permanent version for \(plan.to), reason: \(reason)"
        return [.log(.error, line)] + ask(Question(cause: .permanence(reason: line)))
    }

    mutating func asked(_ question: Question, _ answer: Answer) -> [Action] {
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
            return foundInstalled(running)
        case .failedInstallation(let reason):
            return follow(clearing(releases, reason + "; the node runs \(running.version)"))
        case .interruption:
            guard isRunning else {
                let reason = "it was interrupted; the node runs \(running.version)"
                return restoreConfiguration(
                    then: clearing(
                        releases, reason, nodeIsUntouched: running.version == plan.from))
            }
            return foundInstalled(running)
        }
    }

    /// The continuation that clears the new version after a failed installation, if it may be
    /// cleared.
    func clearing(
        _ releases: ReleaseList, _ reason: String, nodeIsUntouched: Bool = false
    ) -> Then {
        switch releases.status(of: plan.to) {
        case .unpacked, .old: .remove(reason: reason, nodeIsUntouched: nodeIsUntouched)
        case .current, .permanent: .fail(reason: reason, nodeIsUntouched: false)
        case nil: .fail(reason: reason, nodeIsUntouched: nodeIsUntouched)
        }
    }

    mutating func notAnswered(_ question: Question, _ reason: String) -> [Action] {
        guard question.attempt < plan.timings.attempts else {
            let text = self.reason(of: question) + "; what the node runs is unknown: \(reason)"
            switch question.cause {
            case .installation, .interruption:
                return restoreConfiguration(then: .fail(reason: text, nodeIsUntouched: false))
            case .verification, .failedInstallation, .permanence:
                return fail(text, nodeIsUntouched: false)
            }
        }
        var next = question
        next.attempt += 1
        state = .pausing(next)
        return [.pause(plan.timings.pause)]
    }

    func reason(of question: Question) -> String {
        switch question.cause {
        case .interruption: "it was interrupted"
        case .verification: "the release \(plan.to) is not permanent"
        case .installation(let reason), .failedInstallation(let reason), .permanence(let reason):
            reason
        }
    }

    mutating func ask(_ question: Question) -> [Action] {
        whichReleases(.asking(question))
    }
}
