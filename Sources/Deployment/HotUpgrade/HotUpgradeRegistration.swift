internal import ErlDist
internal import ExternalTermFormat

// The meaning of answers before the installation: the running code is not touched yet.

extension HotUpgradeMachine {
    mutating func listed(_ answer: Answer) -> [Action] {
        guard case .other(let term) = answer.kind, let releases = ReleaseList(term),
            let running = releases.running
        else {
            return fail("release_handler:which_releases answered \(answer.text)")
        }
        guard running.name == plan.name else {
            return fail("the node runs the release \(running.name), not \(plan.name)")
        }
        if running.version == plan.to {
            // An earlier attempt was interrupted after its installation: do the rest now.
            return restoreConfiguration(
                then: running.status == .permanent ? .succeed : .makePermanent)
        }
        guard running.version == plan.from else {
            return fail("the node runs \(running.version), not \(plan.from)")
        }
        switch releases.status(of: plan.to) {
        case nil: return perform(.placeRelease)
        // It may have the files of another package, which would silently stay.
        case .unpacked, .old: return unregister(then: .place)
        case .current, .permanent:
            return fail("the node is between two releases, and \(plan.to) is what boots next")
        }
    }

    mutating func registered(_ answer: Answer) -> [Action] {
        switch answer.kind {
        case .ok(let values) where values.first?.asText == plan.to:
            return [.log(.info, "Unpacked successfully: ~c\"\(plan.to)\"")]
                + call(
                    .checking, "check_install_release", [.charlist(plan.to)],
                    plan.timings.preparation)
        case .error(let reason):
            if let parts = reason.asTuple, parts.first == .atom("existing_release"),
                parts.last?.asText == plan.to, mayRegisterAgain
            {
                mayRegisterAgain = false
                return unregister(then: .place)
            }
            return registrationFailed(answer.text, isCertain: true)
        case .ok, .badRPC, .other:
            return registrationFailed(answer.text, isCertain: false)
        }
    }

    /// - Parameter isCertain: whether the node certainly does not know the release.
    mutating func registrationFailed(_ reason: String, isCertain: Bool) -> [Action] {
        let line = "release_handler:set_unpacked failed, reason: \(reason)"
        return [.log(.error, line)]
            + (isCertain ? remove(line, nodeIsUntouched: true) : abandon(line))
    }

    mutating func checked(_ answer: Answer) -> [Action] {
        // Without a relup the answer is `{ok, TO, []}`. Only an answer with FROM says that there is
        // a way.
        guard case .ok(let values) = answer.kind, values.first?.asText == plan.from else {
            return abandon(failed: "release_handler:check_install_release", answer.text)
        }
        return perform(.writeConfiguration)
    }
}
