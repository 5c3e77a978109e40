import ExternalTermFormat
import Supervisor
import Testing
import Transport

@testable import Deployment

@Suite struct StatusReportTests {
    private func report(
        _ instance: InstanceSnapshot, rollout: RolloutSnapshot? = nil
    ) -> Term {
        StatusReport(
            node: "deployex@host", version: "1.0.0", usesTLS: false, uptime: .seconds(61.9),
            applications: [
                .init(
                    ApplicationSnapshot(
                        application: "counter", targetVersion: nil, ghosted: [], history: [],
                        rollout: rollout, instances: [instance]),
                    firstPort: 4000, host: "host", now: MonotonicTime(nanoseconds: 7_500_000_000))
            ]
        ).term
    }

    @Test func `the report has every field of the documented shape, in order`() {
        let identity = ProcessIdentity(pid: 42, startTicks: 1, bootID: "b")
        let term = report(
            InstanceSnapshot(
                number: 2, status: .running,
                current: DeployedRelease(version: "0.1.1", hash: "", deployment: .hotUpgrade),
                previous: DeployedRelease(
                    version: "0.1.0", hash: "", deployment: .fullDeployment),
                isConnected: true, isStoppedByOperator: false, identity: identity,
                startedAt: MonotonicTime(nanoseconds: 0), crashRestarts: 1, forcedRestarts: 0),
            rollout: RolloutSnapshot(
                instance: 2, version: "0.1.2",
                steps: [
                    .init(phase: .staging, begin: MonotonicTime(nanoseconds: 2_000_000_000)),
                    .init(phase: .awaitingReady, begin: MonotonicTime(nanoseconds: 4_560_000_000)),
                ],
                deadline: MonotonicTime(nanoseconds: 37_900_000_000),
                staging: .init(stagedCount: 1, count: 3)))
        #expect(
            term.json == """
                {
                  "node": "deployex@host",
                  "version": "1.0.0",
                  "tls": false,
                  "uptime_seconds": 61,
                  "apps": [
                    {
                      "name": "counter",
                      "target_version": null,
                      "pinned_version": null,
                      "ghosted": [],
                      "problem": null,
                      "rollout": {
                        "instance": 2,
                        "version": "0.1.2",
                        "phase": "awaiting_ready",
                        "seconds": 5,
                        "seconds_left": 30,
                        "steps": [
                          {
                            "phase": "staging",
                            "seconds": 2.6
                          },
                          {
                            "phase": "awaiting_ready",
                            "seconds": 2.9
                          }
                        ],
                        "fetched_bytes": null,
                        "package_bytes": null,
                        "instances_staged": 1,
                        "instances_to_stage": 3
                      },
                      "listen": [],
                      "instances": [
                        {
                          "instance": 2,
                          "node": "counter-2@host",
                          "status": "running",
                          "reason": null,
                          "restart_pending": false,
                          "version": "0.1.1",
                          "previous_version": "0.1.0",
                          "last_deployment": "hot_upgrade",
                          "otp": "connected",
                          "os_pid": 42,
                          "port": 4001,
                          "uptime_seconds": 7,
                          "stopped_by_operator": false,
                          "crash_restarts": 1,
                          "forced_restarts": 0,
                          "cpu_percent": null,
                          "memory_bytes": null,
                          "thresholds": [],
                          "deleted_libraries": []
                        }
                      ]
                    }
                  ]
                }
                """)
    }

    @Test func `what is not there is null`() {
        let json = report(
            InstanceSnapshot(
                number: 1, status: .idle, current: nil, previous: nil, isConnected: false,
                isStoppedByOperator: true, identity: nil, startedAt: nil,
                crashRestarts: 0, forcedRestarts: 0)
        ).json
        for key in [
            "reason", "version", "previous_version", "last_deployment", "os_pid", "uptime_seconds",
        ] {
            #expect(json.contains("          \"\(key)\": null"), "\(key)")
        }
        #expect(json.contains("\"otp\": \"not_connected\""))
        #expect(json.contains("\"stopped_by_operator\": true"))
    }

    @Test(arguments: InstanceStatus.allCases)
    func `an instance's status is one word, and distribution that is off is no fault`(
        status: InstanceStatus
    ) {
        let json = report(
            InstanceSnapshot(number: 1, status: status, usesDistribution: false)
        ).json
        #expect(json.contains("\"status\": \"\(status.rawValue)\""))
        #expect(json.contains("\"otp\": \"off\""))
    }

    @Test func `where deployex listens for it is there`() throws {
        var application = StatusReport.Application()
        let address = try #require(SocketAddress("::1", port: 4000))
        application.add([ListeningAddress(name: "http", address: address, mode: .own)])
        let text = #"{"name":"http","address":"[::1]:4000","mode":"own"}"#
        #expect(
            application.term.json.filter { !$0.isWhitespace }.contains(#""listen":[\#(text)]"#))
    }

    @Test func `what waits for a restart is a reason, beside what is wrong`() {
        var snapshot = InstanceSnapshot(
            number: 1, status: .running, identity: .init(pid: 4, startTicks: 1, bootID: "b"))
        func instance(port: UInt16?) -> StatusReport.Instance {
            StatusReport.Application(
                ApplicationSnapshot(application: "counter", instances: [snapshot]),
                firstPort: 4000, ports: [port], host: "host", now: MonotonicTime(nanoseconds: 0)
            ).instances[0]
        }
        #expect(instance(port: 4000).isRestartPending == false)
        #expect(instance(port: 4000).reason == nil)
        let text = "restart pending: its port is 5000, and 4000 is configured"
        #expect(instance(port: 5000).isRestartPending == true)
        #expect(instance(port: 5000).reason == text)
        snapshot.pendingRestart = "vm.args has changed"
        snapshot.reason = "no answer in time"
        #expect(
            instance(port: 4000).reason == "no answer in time; restart pending: vm.args has changed"
        )
        #expect(instance(port: 4000).isRestartPending == true)
        // The next process gets the port that is configured.
        (snapshot.identity, snapshot.pendingRestart) = (nil, nil)
        #expect(instance(port: 5000).isRestartPending == false)
    }

    @Test func `versions have the ghosted ones and the history, with times in UTC`() {
        let snapshot = ApplicationSnapshot(
            application: "counter", targetVersion: "0.1.0", pinnedVersion: "0.1.0",
            ghosted: [
                GhostedRelease(
                    version: "0.1.1", hash: "h", reason: "not ready", logLines: ["a", "b"],
                    at: 1_700_000_000)
            ],
            history: [
                DeploymentOutcome(
                    version: "0.1.1", hash: "h", kind: .fullDeployment, instance: 1,
                    outcome: .failed, at: 1_700_000_000, milliseconds: 1_249,
                    reason: "not ready", askedBy: "shell@host",
                    steps: [.init(phase: .moving, milliseconds: 1_249)])
            ], instances: [])
        #expect(
            VersionsReport(node: "deployex@host", applications: [snapshot]).term.json == """
                {
                  "node": "deployex@host",
                  "apps": [
                    {
                      "name": "counter",
                      "target_version": "0.1.0",
                      "pinned_version": "0.1.0",
                      "ghosted": [
                        {
                          "version": "0.1.1",
                          "hash": "h",
                          "reason": "not ready",
                          "log_lines": [
                            "a",
                            "b"
                          ],
                          "at": "2023-11-14T22:13:20Z"
                        }
                      ],
                      "history": [
                        {
                          "version": "0.1.1",
                          "hash": "h",
                          "kind": "full_deployment",
                          "instance": 1,
                          "outcome": "failed",
                          "at": "2023-11-14T22:13:20Z",
                          "duration_seconds": 1.2,
                          "reason": "not ready",
                          "asked_by": "shell@host",
                          "steps": [
                            {
                              "phase": "moving",
                              "seconds": 1.2
                            }
                          ]
                        }
                      ]
                    }
                  ]
                }
                """)
    }

    @Test func `a report is read as it was written`() throws {
        var instance = StatusReport.Instance()
        instance.number = 1
        instance.status = "running"
        instance.isRestartPending = true
        var ghost = StatusReport.Ghost()
        ghost.version = "1.1"
        var application = StatusReport.Application()
        application.name = "counter"
        application.ghosted = [ghost]
        application.instances = [instance]
        let report = StatusReport(
            node: "n@h", version: "1.0", usesTLS: true, uptime: .seconds(3),
            applications: [application])
        #expect(StatusReport(reading: report.term) == report)
        #expect(try StatusReport(term: report.term) == report)
        var outcome = VersionsReport.Outcome()
        outcome.durationSeconds = 1.5
        var versions = VersionsReport.Application()
        versions.history = [outcome, VersionsReport.Outcome()]
        #expect(try VersionsReport.Application(term: versions.term) == versions)
    }

    @Test(arguments: [
        Term.atom("odd"), .list([]), 1, .object([("apps", 1)]),
        .object([("apps", .list([1, .list([])]))]),
    ])
    func `of a report of another shape is read what is there`(odd: Term) {
        #expect(StatusReport(reading: odd) == StatusReport())
    }

    @Test func `JSON strings are escaped as RFC 8259 says, and odd terms become text`() {
        #expect(Term.binary("a\"b\\c\n\u{1}é").json == #""a\"b\\c\n\u0001é""#)
        #expect(Term.tuple([1, .atom("a")]).json == "\"{1,a}\"")
        #expect(Term.list([]).json == "[]")
        #expect(Term.map(TermMap([])).json == "{}")
        #expect(Term.float(1.5).json == "1.5")
    }

    @Test(arguments: [Int64.min, -1, Int64.max])
    func `a record may hold any time`(_ at: Int64) {
        let ghosted = GhostedRelease(
            version: "1.0", hash: "", reason: "", logLines: [], at: at)
        let snapshot = ApplicationSnapshot(
            application: "counter", targetVersion: nil, ghosted: [ghosted], history: [],
            instances: [])
        let json = VersionsReport(node: "n@h", applications: [snapshot]).term.json
        let end = at < 0 ? "1970-01-01T00:00:00Z" : "9999-12-31T23:59:59Z"
        #expect(json.contains(end))
    }
}
