import ExternalTermFormat
import Supervisor
import Testing
import Transport

@testable import deployex

private func map(_ pairs: (Atom, Term)...) -> Term {
    .map(TermMap(pairs.map { (key: .atom($0.0), value: $0.1) }))
}

private func instance(
    _ number: Int, _ status: String, _ version: String, pid: Int? = 7, isStopped: Bool = false
) -> Term {
    map(
        ("instance", .integer(number)), ("status", .binary(status)), ("version", .binary(version)),
        ("os_pid", pid.map { .integer($0) } ?? .atom("null")),
        ("stopped_by_operator", Term(isStopped)))
}

private func status(
    target: String = "2.0", ghosted: [(String, String)] = [], _ instances: Term...
) -> StatusView {
    StatusView(
        map(
            (
                "apps",
                [
                    map(
                        ("name", .binary("counter")), ("target_version", .binary(target)),
                        (
                            "ghosted",
                            .list(
                                ghosted.map {
                                    map(("version", .binary($0.0)), ("reason", .binary($0.1)))
                                })
                        ),
                        ("instances", .list(instances)))
                ]
            )))
}

private let first = InstanceName(app: "counter", number: 1)

@Suite struct CommandGoalTests {
    @Test func `a deployment is done when every instance runs the version`() {
        let begin = status(instance(1, "running", "1.0"), instance(2, "running", "1.0"))
        let goal = CommandGoal.deploy("2.0", of: "counter", after: begin)
        #expect(goal.judge(begin) == .waiting("counter 2.0 runs on 0 of 2 instances"))
        #expect(
            goal.judge(status(instance(1, "starting", "2.0"), instance(2, "running", "1.0")))
                == .waiting("counter 2.0 runs on 0 of 2 instances, instance 1 starting"))
        #expect(
            goal.judge(status(instance(1, "running", "2.0"), instance(2, "running", "2.0")))
                == .done("counter 2.0 runs on 2 of 2 instances"))
    }

    @Test func `an instance that an operator has stopped is not waited for`() {
        let end = status(
            instance(1, "running", "2.0"), instance(2, "idle", "1.0", pid: nil, isStopped: true))
        #expect(
            CommandGoal.deploy("2.0", of: "counter", after: end).judge(end)
                == .done("counter 2.0 runs on 1 of 1 instances"))
    }

    @Test func `a version that is ghosted meanwhile has failed, with the reason`() {
        let goal = CommandGoal.deploy("2.0", of: "counter", after: status())
        #expect(
            goal.judge(
                status(
                    target: "1.0", ghosted: [("2.0", "it crashed 4 times")],
                    instance(1, "running", "1.0")))
                == .failed("counter 2.0 was taken back: it crashed 4 times"))
    }

    @Test func `an earlier ghost of the version with another hash does not matter`() {
        let now = status(
            target: "2.0", ghosted: [("2.0", "it crashed")], instance(1, "running", "1.0"))
        #expect(
            CommandGoal.deploy("2.0", of: "counter", after: now).judge(now)
                == .waiting("counter 2.0 runs on 0 of 1 instances"))
    }

    @Test func `a version that is no longer wanted has failed`() {
        let goal = CommandGoal.deploy("2.0", of: "counter", after: status())
        #expect(
            goal.judge(status(target: "3.0", instance(1, "running", "1.0")))
                == .failed("counter is to run 3.0 by now, not 2.0"))
    }

    @Test func `auto and rollback wait for what is the target afterwards`() {
        let begin = status(target: "1.5", instance(1, "running", "2.0"))
        let goal = CommandGoal.deploy(nil, of: "counter", after: begin)
        #expect(goal.judge(begin) == .waiting("counter 1.5 runs on 0 of 1 instances"))
        #expect(
            goal.judge(status(target: "1.5", instance(1, "running", "1.5")))
                == .done("counter 1.5 runs on 1 of 1 instances"))
        let nothing = CommandGoal.deploy(nil, of: "counter", after: StatusView(map()))
        #expect(nothing.judge(begin) == .done("no version is published yet"))
    }

    @Test func `a restart is done when another process runs, not while the old one still does`() {
        let before = status(instance(1, "running", "1.0", pid: 7))
        let goal = CommandGoal.restart(first, before: before)
        #expect(goal.judge(before) == .waiting("counter-1 is running"))
        #expect(
            goal.judge(status(instance(1, "starting", "1.0", pid: 8)))
                == .waiting("counter-1 is starting"))
        #expect(
            goal.judge(status(instance(1, "running", "1.0", pid: 8)))
                == .done("counter-1 runs again as OS process 8"))
    }

    @Test func `stop waits for idle and start for running`() {
        let (idle, running) = (
            status(instance(1, "idle", "1.0", pid: nil)), status(instance(1, "running", "1.0"))
        )
        #expect(CommandGoal.stop(first).judge(running) == .waiting("counter-1 is running"))
        #expect(CommandGoal.stop(first).judge(idle) == .done("counter-1 is stopped"))
        #expect(CommandGoal.start(first).judge(idle) == .waiting("counter-1 is idle"))
        #expect(CommandGoal.start(first).judge(running) == .done("counter-1 is running"))
    }

    @Test(arguments: [Term.atom("odd"), [], 1, map(("apps", 1)), map(("apps", [1, []]))])
    func `a status of another shape fails the goal, and traps nothing`(odd: Term) {
        #expect(
            CommandGoal.stop(first).judge(StatusView(odd))
                == .failed("counter is no longer one of its applications"))
    }
}

@Suite struct RemoteCommandTests {
    @Test
    func `the remote shell gets the instance's variables and the cookie, and no other release's`() {
        let variables = RemoteCommand.variables(
            [
                "TERM": "xterm", "RELEASE_ROOT": "/elsewhere", "DEPLOYEX_ERLANG_COOKIE": "c",
                "ELIXIR_ERL_OPTIONS": "-proto_dist inet_tls", "GREETING": "mine",
            ],
            instance: ["RELEASE_NODE_SUFFIX": "-2", "GREETING": "its"], cookie: "secret")
        #expect(
            variables == [
                "TERM": "xterm", "ELIXIR_ERL_OPTIONS": "-proto_dist inet_tls",
                "RELEASE_NODE_SUFFIX": "-2", "GREETING": "its", "RELEASE_COOKIE": "secret",
            ])
    }

    @Test func `another user's shell gets the terminal's variables of ours, and its own`() {
        let shop = ProcessUser(
            name: "shop", id: 1001, group: 1001, groups: [1001], home: "/srv/shop")
        let shared = [
            "TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1", "LANG": "C.UTF-8",
            "LC_ALL": "C", "TZ": "UTC", "PATH": "/bin", "ERL_EPMD_PORT": "4370",
            "ELIXIR_ERL_OPTIONS": "-proto_dist inet_tls",
        ]
        let own = [
            "SSH_AUTH_SOCK": "/tmp/agent", "SSH_CONNECTION": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "SUDO_USER": "admin", "HOME": "/root", "USER": "root", "LOGNAME": "root",
            "XDG_RUNTIME_DIR": "/run/user/0", "ERL_FLAGS": "-setcookie c", "LCX": "d",
            "DEPLOYEX_ERLANG_COOKIE": "e",
        ]
        let variables = RemoteCommand.variables(
            shared.merging(own) { $1 }, instance: ["RELEASE_NODE_SUFFIX": "-1"], cookie: "secret",
            user: shop)
        let its = [
            "HOME": "/srv/shop", "USER": "shop", "LOGNAME": "shop", "RELEASE_NODE_SUFFIX": "-1",
            "RELEASE_COOKIE": "secret",
        ]
        #expect(variables == shared.merging(its) { $1 })
    }

    @Test(arguments: [
        (nil, "-proto_dist inet_tls -ssl_dist_optfile /tmp/a.conf"),
        ("+S 1", "+S 1 -proto_dist inet_tls -ssl_dist_optfile /tmp/a.conf"),
        (
            "-proto_dist inet_tls -ssl_dist_optfile /tmp/own.conf",
            "-proto_dist inet_tls -ssl_dist_optfile /tmp/own.conf"
        ),
    ])
    func `TLS that was asked for by arguments is the shell's as well`(
        own: String?, expected: String
    ) {
        let variables = RemoteCommand.variables(
            own.map { ["ELIXIR_ERL_OPTIONS": $0] } ?? [:], instance: [:], cookie: "secret",
            tlsOptionsFile: "/tmp/a.conf")
        #expect(variables["ELIXIR_ERL_OPTIONS"] == expected)
    }

    @Test func `the shell finds an options file that was named by a relative path`() {
        let variables = RemoteCommand.variables(
            [:], instance: [:], cookie: "secret", tlsOptionsFile: "tls/a.conf", folder: "/srv")
        #expect(
            variables["ELIXIR_ERL_OPTIONS"]
                == "-proto_dist inet_tls -ssl_dist_optfile /srv/tls/a.conf")
    }
}
