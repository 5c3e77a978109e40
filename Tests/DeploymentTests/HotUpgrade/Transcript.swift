import ExternalTermFormat
import Testing

@testable import Deployment

/// A machine, and the good answers that lead it to where a test begins.
struct Transcript {
    enum Point: Int, CaseIterable {
        case listing, placing, registering, checking, writingConfiguration, installing
        case restoringConfiguration, makingPermanent, verifying
    }

    private var machine: HotUpgradeMachine

    init(_ plan: HotUpgrade.Plan) {
        machine = HotUpgradeMachine(
            plan: plan, root: "/srv/current",
            applications: [
                .init(name: "kernel", version: "8.5.3"), .init(name: "counter", version: "0.1.2"),
            ])
    }

    mutating func start() -> [HotUpgradeMachine.Action] { machine.start() }

    mutating func answer(_ term: Term, output: String = "") -> [HotUpgradeMachine.Action] {
        machine.callAnswered(term, output: output)
    }

    mutating func fail(_ error: RemoteCallError) -> [HotUpgradeMachine.Action] {
        machine.callFailed(error)
    }

    mutating func fileDone() -> [HotUpgradeMachine.Action] { machine.fileDone() }

    mutating func fileFailed(_ reason: String) -> [HotUpgradeMachine.Action] {
        machine.fileFailed(reason)
    }

    mutating func pauseEnded() -> [HotUpgradeMachine.Action] { machine.pauseEnded() }

    /// Everything goes well until the machine waits for the end of that step.
    mutating func run(to point: Point) {
        _ = start()
        for passed in Point.allCases where passed.rawValue < point.rawValue {
            switch passed {
            case .placing, .writingConfiguration, .restoringConfiguration: _ = fileDone()
            case .listing: _ = answer(releases(("0.1.1", "permanent")))
            case .registering: _ = answer(ok(.charlist("0.1.2")))
            case .makingPermanent: _ = answer(.atom(.ok))
            case .checking, .installing: _ = answer(ok(.charlist("0.1.1"), []))
            case .verifying: break
            }
        }
    }
}

func ok(_ values: Term...) -> Term {
    .tuple([.atom(.ok)] + values)
}

func error(_ reason: Term) -> Term {
    .tuple([.atom(.error), reason])
}

/// What `which_releases` answers.
func releases(_ entries: (version: String, status: String)..., name: String = "counter") -> Term {
    .list(
        entries.map {
            .tuple([
                .charlist(name), .charlist($0.version), [.charlist("kernel-8.5.3")],
                .atom(Atom(shortEnough: $0.status)),
            ])
        })
}

func call(
    _ module: Atom, _ function: Atom, _ arguments: [Term] = [], _ seconds: Int = 15
) -> HotUpgradeMachine.Action {
    .call(
        module: module, function: function, arguments: arguments, timeout: .seconds(seconds))
}

/// What registers the new release.
let registration = call(
    "release_handler", "set_unpacked",
    [
        .charlist("/srv/current/releases/0.1.2/counter.rel"),
        [
            .tuple([.atom("kernel"), .charlist("8.5.3"), .charlist("lib")]),
            .tuple([.atom("counter"), .charlist("0.1.2"), .charlist("lib")]),
        ],
    ], 120)

/// The last action ends the upgrade for that reason.
func expectFailure(
    _ actions: [HotUpgradeMachine.Action], reason expected: String, nodeIsUntouched: Bool,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard case .finish(.failed(let reason, let untouched)) = actions.last else {
        Issue.record("expected a failure, not \(actions)", sourceLocation: sourceLocation)
        return
    }
    #expect(reason.contains(expected), sourceLocation: sourceLocation)
    #expect(untouched == nodeIsUntouched, sourceLocation: sourceLocation)
}
