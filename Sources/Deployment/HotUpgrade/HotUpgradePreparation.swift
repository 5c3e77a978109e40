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
        case nil: return perform(.placePackage)
        // It may have the files of another package, which would silently stay.
        case .unpacked, .old: return unregister(then: .place)
        case .current, .permanent:
            return fail("the node is between two releases, and \(plan.to) is what boots next")
        }
    }

    mutating func unpacked(_ answer: Answer) -> [Action] {
        switch answer.kind {
        case .ok(let values) where values.first?.asText == plan.to:
            return [.log(.info, "Unpacked successfully: ~c\"\(plan.to)\"")]
                + perform(.copyReleaseResources)
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

    /// - Parameter isCertain: whether the node certainly has not unpacked it.
    mutating func unpackingFailed(_ reason: String, isCertain: Bool) -> [Action] {
        let line = "Error while unpacking the release \(plan.to), reason: \(reason)"
        return [.log(.error, line)]
            + (isCertain ? remove(line, nodeIsUntouched: true) : abandon(line))
    }

    mutating func rootFound(_ answer: Answer) -> [Action] {
        guard case .other(let term) = answer.kind, let root = term.asText, root.hasPrefix("/")
        else {
            return abandon("code:root_dir answered \(answer.text)")
        }
        let new: Term = .charlist("\(root)/releases/\(plan.name)-\(plan.to)")
        let old: Term = .charlist("\(root)/releases/\(plan.name)-\(plan.from)")
        let path: Term = [
            .charlist("\(root)/lib/*/ebin"), .charlist("\(root)/releases/*/\(plan.name)"),
        ]
        let options: Term = [
            .tuple([.atom("path"), path]),
            .tuple([.atom("outdir"), .charlist("\(root)/releases/\(plan.to)")]),
        ]
        return call(
            .makingRelup, module: "systools", "make_relup", [new, [old], [old], options],
            plan.timings.preparation)
    }

    mutating func relupMade(_ answer: Answer) -> [Action] {
        // The answer is `ok`, or `{ok, Relup, Module, Warnings}` if it is asked not to print.
        guard case .ok = answer.kind else {
            return abandon(failed: "systools:make_relup", answer.text)
        }
        return perform(.inspectRelup)
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
