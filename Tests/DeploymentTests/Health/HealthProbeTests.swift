import ExternalTermFormat
import Testing

@testable import Deployment

/// A node that gives prepared answers.
private struct PreparedNode: RemoteNode {
    var answers: [String: Result<Term, RemoteCallError>]

    func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        let answer = answers["\(module.name):\(function.name)"]
        return try (answer ?? .failure(.exception("undef"))).get()
    }
}

private func readiness(
    boot: Result<Term, RemoteCallError>, started: Result<Term, RemoteCallError>,
    pid: Result<Term, RemoteCallError> = .success(.charlist("42")),
    of applications: [String] = ["counter"]
) async -> ProbeResult {
    let node = PreparedNode(answers: [
        "init:get_status": boot, "application:which_applications": started, "os:getpid": pid,
    ])
    return await HealthProbe(node: node, timeout: .seconds(1)) { $0 == 42 }
        .readiness(of: applications)
}

private let booted = Term.tuple([.atom("started"), .atom("started")])
private func application(_ name: Atom) -> Term {
    .tuple([.atom(name), .charlist("text"), .charlist("1.0")])
}

@Suite struct HealthProbeTests {
    @Test func `ready is: boot finished and the application started`() async {
        #expect(
            await readiness(
                boot: .success(booted),
                started: .success([application("kernel"), application("counter")])) == .ready)
    }

    @Test func `an application that is not started is not ready`() async {
        #expect(
            await readiness(boot: .success(booted), started: .success([application("kernel")]))
                == .notReady("the application counter is not started"))
    }

    @Test func `all that is required must be started, and nothing else`() async {
        let started = Term.list([application("kernel"), application("shop")])
        let names = [["shop"], [], ["shop", "shop_web"], ["a", "shop", "b"]]
        var results: [ProbeResult] = []
        for required in names {
            results.append(
                await readiness(
                    boot: .success(booted), started: .success(started), of: required))
        }
        #expect(
            results == [
                .ready, .ready, .notReady("the application shop_web is not started"),
                .notReady("the application a is not started, and 1 more"),
            ])
    }

    @Test func `a node in somebody else's process is refused, however well it answers`() async {
        let refused = ProbeResult.refused(
            "the node that answers is OS process 43, which is none of the instance's: stop what "
                + "has taken its name")
        #expect(
            await readiness(
                boot: .success(booted), started: .success([application("counter")]),
                pid: .success(.charlist("43"))) == refused)
        let node = PreparedNode(answers: ["os:getpid": .success(.charlist("43"))])
        #expect(
            await HealthProbe(node: node, timeout: .seconds(1)) { $0 == 42 }.liveness() == refused)
    }

    @Test(arguments: [Term.atom("42"), .charlist(""), .charlist("-"), .charlist("99999999999"), 42])
    func `a pid that is none is not ready`(pid: Term) async {
        let result = await readiness(
            boot: .success(booted), started: .success([application("counter")]),
            pid: .success(pid))
        #expect(result == .notReady("the node's os:getpid() is \(pid)"))
    }

    @Test func `who is not let in is told apart from who cannot be reached`() async {
        let error = RemoteCallError.refused("the cookies differ")
        let result = await readiness(boot: .failure(error), started: .failure(error))
        #expect(result == .refused("\(error)"))
    }

    @Test func `a boot that goes on is not ready`() async {
        let starting = Term.tuple([.atom("starting"), .atom("applications_loaded")])
        let result = await readiness(
            boot: .success(starting), started: .success([application("counter")]))
        #expect(result == .notReady("boot is not finished: {starting,applications_loaded}"))
    }

    @Test func `a boot is finished when its script is, though -eval never returns`() {
        // As in a shipment.
        func health(_ status: Atom) -> Health {
            Health(
                boot: .tuple([.atom(status), .atom("started")]),
                started: .list([application("counter")]))
        }
        #expect(health("starting").problem(requiring: ["counter"]) == nil)
        #expect(health("stopping").problem(requiring: []) != nil)
    }

    @Test func `a node that is there and does not answer in time is unresponsive`() async {
        let result = await readiness(boot: .failure(.timedOut), started: .failure(.timedOut))
        #expect(result == .unresponsive("no answer in time"))
    }

    @Test(arguments: [RemoteCallError.unreachable("refused"), .connectionLost("closed")])
    func `no connection is unreachable`(error: RemoteCallError) async {
        let result = await readiness(boot: .failure(error), started: .failure(error))
        #expect(result == .unreachable("\(error)"))
    }

    @Test func `an exception is an answer`() async {
        let result = await readiness(
            boot: .success(booted), started: .failure(.exception("exit: noproc")))
        #expect(result == .notReady("the node answers with exception exit: noproc"))
    }

    @Test(arguments: [Term.atom("odd"), [], .tuple([]), [.tuple([]), .atom("x"), .tuple([1])]])
    func `an odd answer is not ready, and no trap`(odd: Term) async {
        let result = await readiness(boot: .success(odd), started: .success(odd))
        guard case .notReady = result else {
            Issue.record("\(result)")
            return
        }
    }
}
