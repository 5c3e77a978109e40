import ErlDist
import ExternalTermFormat
import Testing

@testable import Deployment

/// Transcripts: what the node and the file steps answer, and what is done about it.
struct HotUpgradeMachineTests {
    private let plan = HotUpgrade.Plan(name: "counter", from: "0.1.1", to: "0.1.2")

    // MARK: The good course

    @Test func `a hot upgrade makes its calls in order and logs them as users know them`() {
        var upgrade = Transcript(plan)
        #expect(upgrade.start() == [call("release_handler", "which_releases")])
        #expect(upgrade.answer(releases(("0.1.1", "permanent"))) == [.file(.placeRelease)])
        #expect(upgrade.fileDone() == [registration])
        #expect(
            upgrade.answer(ok(.charlist("0.1.2")))
                == [
                    .log(.info, "Unpacked successfully: ~c\"0.1.2\""),
                    call("release_handler", "check_install_release", [.charlist("0.1.2")], 120),
                ])
        #expect(upgrade.answer(ok(.charlist("0.1.1"), [])) == [.file(.writeConfiguration)])
        #expect(
            upgrade.fileDone()
                == [
                    call(
                        "release_handler", "install_release",
                        [.charlist("0.1.2"), [.tuple([.atom("update_paths"), true])]], 120)
                ])
        #expect(
            upgrade.answer(ok(.charlist("0.1.1"), []))
                == [
                    .log(.info, "Installed Release: ~c\"0.1.2\""), .file(.restoreConfiguration),
                ])
        #expect(
            upgrade.fileDone()
                == [call("release_handler", "make_permanent", [.charlist("0.1.2")], 120)])
        #expect(upgrade.answer(.atom(.ok)) == [call("release_handler", "which_releases")])
        #expect(
            upgrade.answer(releases(("0.1.2", "permanent"), ("0.1.1", "old")))
                == [.log(.info, "Made release permanent: 0.1.2"), .finish(.succeeded)])
    }

    // MARK: What the node runs before

    @Test(
        arguments: [
            (releases(("0.1.0", "permanent")), "the node runs 0.1.0, not 0.1.1"),
            (
                releases(("0.1.1", "permanent"), name: "other"),
                "the node runs the release other, not counter"
            ),
            (
                releases(("0.1.1", "current"), ("0.1.2", "permanent")),
                "the node is between two releases, and 0.1.2 is what boots next"
            ),
            ([], "release_handler:which_releases answered"),
            (
                .tuple([.atom("badrpc"), .atom("nodedown")]),
                "release_handler:which_releases answered"
            ),
            ([.tuple([.charlist("counter"), .charlist("0.1.1")])], "which_releases answered"),
            ([.tuple([.charlist("counter"), .charlist("1"), [], .atom("new")])], "answered"),
        ] as [(Term, String)])
    func `nothing is touched on a node that does not run the old version`(
        answer: Term, reason: String
    ) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .listing)
        let end = upgrade.answer(answer)
        #expect(end.count == 1)
        expectFailure(end, reason: reason, nodeIsUntouched: true)
    }

    @Test(arguments: ["unpacked", "old"])
    func `a leftover of the new version is unregistered before anything is placed`(
        status: String
    ) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .listing)
        #expect(
            upgrade.answer(releases(("0.1.2", status), ("0.1.1", "permanent")))
                == [call("release_handler", "set_removed", [.charlist("0.1.2")], 120)])
        #expect(upgrade.answer(.atom(.ok)) == [.file(.placeRelease)])
    }

    @Test func `a leftover that cannot be unregistered forbids the hot upgrade`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .listing)
        _ = upgrade.answer(releases(("0.1.2", "unpacked"), ("0.1.1", "permanent")))
        expectFailure(
            upgrade.answer(error(.tuple([.atom("permanent"), .charlist("0.1.2")]))),
            reason: "release_handler:set_removed failed", nodeIsUntouched: true)
    }

    @Test func `an upgrade that was interrupted after its installation is completed`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .listing)
        #expect(
            upgrade.answer(releases(("0.1.2", "current"), ("0.1.1", "permanent")))
                == [.file(.restoreConfiguration)])
        #expect(
            upgrade.fileDone()
                == [call("release_handler", "make_permanent", [.charlist("0.1.2")], 120)])
    }

    @Test func `an upgrade that was interrupted after it was permanent has succeeded`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .listing)
        #expect(
            upgrade.answer(releases(("0.1.2", "permanent"), ("0.1.1", "old")))
                == [.file(.restoreConfiguration)])
        #expect(
            upgrade.fileDone()
                == [.log(.info, "Made release permanent: 0.1.2"), .finish(.succeeded)])
    }

    // MARK: File steps that fail

    @Test func `a release that cannot be placed is taken away again`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .placing)
        #expect(upgrade.fileFailed("no space left on device") == [.file(.removeRelease)])
        expectFailure(
            upgrade.fileDone(), reason: "placing the release: no space left on device",
            nodeIsUntouched: true)
    }

    @Test
    func `a configuration that cannot be written unregisters and removes the new version`() {
        let reason = "writing the resolved configuration: gone"
        var upgrade = Transcript(plan)
        upgrade.run(to: .writingConfiguration)
        #expect(
            upgrade.fileFailed("gone")
                == [call("release_handler", "set_removed", [.charlist("0.1.2")], 120)])
        #expect(upgrade.answer(.atom(.ok)) == [.file(.removeRelease)])
        expectFailure(upgrade.fileDone(), reason: reason, nodeIsUntouched: true)
    }

    @Test func `a pristine configuration that cannot be put back does not undo the upgrade`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .restoringConfiguration)
        #expect(
            upgrade.fileFailed("read-only file system")
                == [
                    .log(
                        .error,
                        "The pristine sys.config of 0.1.2 could not be put back, reason: read-only file system"
                    ), call("release_handler", "make_permanent", [.charlist("0.1.2")], 120),
                ])
    }

    @Test func `files that cannot be removed are reported, and the first reason stays`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .checking)
        _ = upgrade.answer(error(.atom("first")))
        _ = upgrade.answer(.atom(.ok))
        let end = upgrade.fileFailed("busy")
        #expect(end.first == .log(.warning, "Files of 0.1.2 are left behind, reason: busy"))
        expectFailure(end, reason: "first", nodeIsUntouched: true)
    }

    // MARK: Wrong answers before the installation

    @Test func `a release that already exists is unregistered and registered once more`() {
        let existing = error(.tuple([.atom("existing_release"), .charlist("0.1.2")]))
        var upgrade = Transcript(plan)
        upgrade.run(to: .registering)
        #expect(
            upgrade.answer(existing)
                == [call("release_handler", "set_removed", [.charlist("0.1.2")], 120)])
        #expect(upgrade.answer(.atom(.ok)) == [.file(.placeRelease)])
        #expect(
            upgrade.fileDone() == [registration])
        let second = upgrade.answer(existing)
        #expect(second.last == .file(.removeRelease))
        expectFailure(upgrade.fileDone(), reason: "existing_release", nodeIsUntouched: true)
    }

    @Test(
        arguments: [
            error(.tuple([.atom("no_such_directory"), .charlist("lib/counter-0.1.2")])),
            error(.tuple([.atom("bad_rel_file"), .charlist("counter.rel")])),
            error(.tuple([.atom("existing_release"), .charlist("0.1.3")])),
            .atom(.error),
        ] as [Term])
    func `a release that the node cannot register is removed, and the node is untouched`(
        answer: Term
    ) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .registering)
        let actions = upgrade.answer(answer)
        #expect(actions.count == 2)
        #expect(actions.last == .file(.removeRelease))
        expectFailure(
            upgrade.fileDone(), reason: "release_handler:set_unpacked failed, reason: ",
            nodeIsUntouched: true)
    }

    @Test(
        arguments: [
            ok(.charlist("0.1.3")), .atom(.ok), .tuple([.atom("badrpc"), .atom("nodedown")]),
            .tuple([.atom(.ok)]), .list([]), .integer(7),
        ] as [Term])
    func `after an answer that does not say whether it was registered, it is unregistered`(
        answer: Term
    ) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .registering)
        #expect(
            upgrade.answer(answer).last
                == call("release_handler", "set_removed", [.charlist("0.1.2")], 120))
        #expect(
            upgrade.answer(error(.tuple([.atom("no_such_release"), .charlist("0.1.2")])))
                == [.file(.removeRelease)])
        expectFailure(
            upgrade.fileDone(), reason: "release_handler:set_unpacked failed",
            nodeIsUntouched: true)
    }

    @Test(
        arguments: [
            // Without a relup, the new version itself is named: that is no permission.
            ok(.charlist("0.1.2"), []), ok(.charlist("0.1.0"), []), .atom(.ok),
            error(.tuple([.atom("no_matching_relup"), .charlist("0.1.2"), .charlist("0.1.1")])),
            .tuple([.atom("badrpc"), .atom("nodedown")]), .atom("yes"),
        ] as [Term])
    func `only a check that names the running version lets the installation begin`(
        answer: Term
    ) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .checking)
        #expect(
            upgrade.answer(answer).last
                == call("release_handler", "set_removed", [.charlist("0.1.2")], 120))
        _ = upgrade.answer(.atom(.ok))
        expectFailure(
            upgrade.fileDone(), reason: "release_handler:check_install_release failed",
            nodeIsUntouched: true)
    }

    @Test(arguments: [
        RemoteCallError.unreachable("no such node"), .connectionLost("closed"), .timedOut,
        .exception("exit:noproc"),
    ])
    func `a call that fails before the installation leaves an untouched node`(
        failure: RemoteCallError
    ) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .listing)
        expectFailure(
            upgrade.fail(failure), reason: "asking the node for its releases: \(failure)",
            nodeIsUntouched: true)
        for point: Transcript.Point in [.registering, .checking] {
            upgrade = Transcript(plan)
            upgrade.run(to: point)
            #expect(
                upgrade.fail(failure).last
                    == call("release_handler", "set_removed", [.charlist("0.1.2")], 120))
            // The node may be gone for good: the files are removed all the same.
            #expect(upgrade.fail(failure).last == .file(.removeRelease))
            expectFailure(upgrade.fileDone(), reason: "\(failure)", nodeIsUntouched: true)
        }
    }

    // MARK: The installation

    @Test(
        arguments: [
            error(.tuple([.atom("code_change_failed"), .atom("pid"), .atom("module")])),
            error(.tuple([.tuple([.atom("noproc"), .atom("x")]), .atom("y")])),
            error(.atom("killed")),
            .tuple([.atom("continue_after_restart"), .charlist("0.1.1"), []]),
        ] as [Term])
    func `after an error past the point of no return nobody waits for the node`(answer: Term) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .installing)
        #expect(upgrade.answer(answer).last == .file(.restoreConfiguration))
        #expect(upgrade.fileDone() == [.file(.removeRelease)])
        guard case .finish(.restarting(let reason))? = upgrade.fileDone().last else {
            Issue.record("it goes on")
            return
        }
        #expect(reason.hasPrefix("release_handler:install_release failed, reason: "))
    }

    @Test func `an installation that was refused is followed by asking what the node runs`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .installing)
        let reason = Term.tuple([.atom("old_processes"), .atom("module")])
        #expect(upgrade.answer(error(reason)).last == .file(.restoreConfiguration))
        // Not at once: it may be about to restart all the same.
        #expect(upgrade.fileDone() == [.pause(.seconds(1))])
        #expect(upgrade.pauseEnded() == [call("release_handler", "which_releases")])
        #expect(upgrade.fail(.exception("exit:noproc")) == [.pause(.seconds(1))])
        #expect(upgrade.pauseEnded() == [call("release_handler", "which_releases")])
        #expect(upgrade.fail(.unreachable("down")) == [.pause(.seconds(1))])
        #expect(upgrade.pauseEnded() == [call("release_handler", "which_releases")])
        #expect(
            upgrade.answer(releases(("0.1.2", "unpacked"), ("0.1.1", "permanent")))
                == [call("release_handler", "set_removed", [.charlist("0.1.2")], 120)])
        #expect(upgrade.answer(.atom(.ok)) == [.file(.removeRelease)])
        let end = upgrade.fileDone()
        expectFailure(end, reason: "old_processes", nodeIsUntouched: false)
        expectFailure(end, reason: "; the node runs 0.1.1", nodeIsUntouched: false)
    }

    @Test(
        arguments: [
            .atom("done"), .atom(.error),
            error(.tuple([.atom("no_such_release"), .charlist("0.1.2")])),
        ] as [Term])
    func `an installation that is not one leaves a node that is not untouched`(answer: Term) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .installing)
        let actions = upgrade.answer(answer)
        #expect(actions.last == .file(.restoreConfiguration))
        _ = upgrade.fileDone()
        _ = upgrade.pauseEnded()
        expectFailure(
            upgrade.answer(releases(("0.1.1", "permanent"))),
            reason: "release_handler:install_release failed", nodeIsUntouched: false)
    }

    @Test func `an installation whose call could not be sent was not attempted`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .installing)
        #expect(
            upgrade.fail(.unreachable("down")).last
                == call("release_handler", "set_removed", [.charlist("0.1.2")], 120))
        _ = upgrade.fail(.unreachable("down"))
        expectFailure(upgrade.fileDone(), reason: "down", nodeIsUntouched: true)
    }

    @Test(arguments: [
        RemoteCallError.connectionLost("closed"), .timedOut, .exception("exit:noproc"),
    ])
    func `a connection lost during the installation says nothing, and the node is asked`(
        failure: RemoteCallError
    ) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .installing)
        #expect(upgrade.fail(failure).last == call("release_handler", "which_releases"))
        #expect(upgrade.fail(.unreachable("not yet")) == [.pause(.seconds(1))])
        #expect(upgrade.pauseEnded() == [call("release_handler", "which_releases")])
        #expect(
            upgrade.answer(releases(("0.1.2", "current"), ("0.1.1", "permanent")))
                == [
                    .log(.info, "Installed Release: ~c\"0.1.2\""), .file(.restoreConfiguration),
                ])
        #expect(
            upgrade.fileDone()
                == [call("release_handler", "make_permanent", [.charlist("0.1.2")], 120)])
    }

    @Test func `a lost installation that did not happen is cleared up`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .installing)
        _ = upgrade.answer(.tuple([.atom("badrpc"), .atom("nodedown")]))
        #expect(
            upgrade.answer(releases(("0.1.2", "unpacked"), ("0.1.1", "permanent")))
                == [.file(.restoreConfiguration)])
        #expect(
            upgrade.fileDone()
                == [call("release_handler", "set_removed", [.charlist("0.1.2")], 120)])
        _ = upgrade.answer(.atom(.ok))
        expectFailure(
            upgrade.fileDone(), reason: "the node runs 0.1.1", nodeIsUntouched: false)
    }

    @Test func `a node that never answers again is given up after the last attempt`() {
        var plan = plan
        plan.timings.attempts = 3
        var upgrade = Transcript(plan)
        upgrade.run(to: .installing)
        _ = upgrade.fail(.timedOut)
        for _ in 1...2 {
            #expect(upgrade.fail(.timedOut) == [.pause(.seconds(1))])
            _ = upgrade.pauseEnded()
        }
        #expect(upgrade.fail(.timedOut) == [.file(.restoreConfiguration)])
        expectFailure(
            upgrade.fileDone(), reason: "what the node runs is unknown: no answer in time",
            nodeIsUntouched: false)
    }

    // MARK: Permanence

    @Test func `a permanence that is not confirmed but true is a success`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .makingPermanent)
        #expect(upgrade.fail(.timedOut).last == call("release_handler", "which_releases"))
        #expect(
            upgrade.answer(releases(("0.1.2", "permanent"), ("0.1.1", "old")))
                == [.log(.info, "Made release permanent: 0.1.2"), .finish(.succeeded)])
    }

    @Test(
        arguments: [
            error(.tuple([.atom("bad_status"), .atom("unpacked")])),
            error(.tuple([.atom("no_such_release"), .charlist("0.1.2")])),
            .tuple([.atom("badrpc"), .atom("nodedown")]), ok(.charlist("0.1.2")), .atom(.error), [],
        ] as [Term])
    func `a release that is not made permanent is a failure, and its files stay`(answer: Term) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .makingPermanent)
        #expect(upgrade.answer(answer).last == call("release_handler", "which_releases"))
        let end = upgrade.answer(releases(("0.1.2", "current"), ("0.1.1", "permanent")))
        #expect(end.count == 1)
        expectFailure(
            end, reason: "Error while trying to set a permanent version for 0.1.2",
            nodeIsUntouched: false)
    }

    @Test(
        arguments: [
            releases(("0.1.2", "current"), ("0.1.1", "permanent")),
            releases(("0.1.1", "permanent")),
            releases(("0.1.2", "permanent"), name: "other"),
        ] as [Term])
    func `success needs the new version to be permanent under its name`(answer: Term) {
        var upgrade = Transcript(plan)
        upgrade.run(to: .verifying)
        expectFailure(
            upgrade.answer(answer), reason: "the release 0.1.2 is not permanent",
            nodeIsUntouched: false)
    }

    @Test func `a reason is shortened, whatever a node answers`() {
        var upgrade = Transcript(plan)
        upgrade.run(to: .checking)
        let actions = upgrade.answer(
            error(.list(Array(repeating: .atom("state"), count: 100_000))))
        guard case .log(.error, let line) = actions.first else {
            Issue.record("expected a log line, not \(actions)")
            return
        }
        #expect(line.count < 2_100)
        upgrade = Transcript(plan)
        upgrade.run(to: .checking)
        guard
            case .log(.error, let line) = upgrade.fail(
                .exception(String(repeating: "state", count: 100_000))
            ).first
        else {
            Issue.record("expected a log line")
            return
        }
        #expect(line.count < 2_100)
    }
}
