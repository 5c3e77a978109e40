import ExternalTermFormat
import Testing

@testable import Deployment
@testable import deployex

private func map(_ pairs: (Atom, Term)...) -> Term {
    .map(TermMap(pairs.map { (key: .atom($0.0), value: $0.1) }))
}

@Suite struct ReportTests {
    @Test func `a table's columns are as wide as their widest cell`() {
        var table = Table(header: ["A", "LONG"])
        table.append(["value", "x"])
        #expect(table.lines(within: nil).map(\.text) == ["A      LONG", "value  x"])
    }

    @Test func `an instance with replaced libraries is marked, and they are text only`() {
        var instance = StatusReport.Instance.empty
        (instance.number, instance.status) = (1, "running")
        instance.deletedLibraries = ["libssl.so.3", "lib\u{1B}[2J.so"]
        let report = StatusReport(
            node: "n", applications: [.init(name: "counter", instances: [instance])])
        let lines = StatusTable(report).lines.map(\.text)
        #expect(lines.contains { $0.hasPrefix("1         running*") }, "\(lines)")
        #expect(
            lines.last == #"instance 1*: libssl.so.3, lib\x{1B}[2J.so replaced or removed since "#
                + "its start; a restart takes the newer ones")
        #expect(StatusReport(reading: report.term) == report)
    }

    @Test func `a table that is too wide leaves out what matters least, and at last cuts`() {
        var table = Table(header: ["A", "B", "C"], expendable: ["B", "A"])
        table.append(["first", "second", "third"])
        table.append(["1", "2", "3"].map { Table.Cell($0) }, note: "why it is so")
        func text(_ columns: Int) -> [String] { table.lines(within: columns).map(\.text) }
        #expect(
            text(20) == [
                "A      B       C", "first  second  third", "1      2       3",
                "    why it is so",
            ])
        #expect(
            text(19) == [
                "A      C", "first  third", "1      3", "    why it is so",
            ])
        #expect(
            text(11) == [
                "C", "third", "3", "    why it", "    is so",
            ])
        #expect(text(4).prefix(3) == ["C", "thi…", "3"])
    }

    @Test(arguments: [
        ("short", ["short"]),
        ("one two  three", ["one two", "  three"]),
        ("  one two three", ["  one two", "  three"]),
        ("abcdefghijklmnopqrs", ["abcdefghij", "  klmnopqr", "  s"]),
        ("a abcdefghijkl", ["a", "  abcdefgh", "  ijkl"]),
        ("日本語日本語", ["日本語日本", "  語"]),
    ])
    func `text is folded between words, and no line is wider`(text: String, lines: [String]) {
        #expect(TextColumns.fold(text, to: 10) == lines)
        #expect(TextColumns.fold(text, to: nil) == [text])
    }

    @Test func `the width is what COLUMNS says, or else the terminal`() {
        #expect(TextColumns.available(variable: nil, terminal: nil) == nil)
        #expect(TextColumns.available(variable: "", terminal: nil) == nil)
        #expect(TextColumns.available(variable: nil, terminal: 132) == 132)
        #expect(TextColumns.available(variable: nil, terminal: 0) == 80)
        #expect(TextColumns.available(variable: "40", terminal: 132) == 40)
        #expect(TextColumns.available(variable: "wide", terminal: 132) == 132)
        #expect(TextColumns.available(variable: "1", terminal: nil) == 20)
    }

    /// Three instances as a host has them after a while, each in another state.
    private static let busy: StatusReport = {
        func instance(_ number: Int, _ status: String) -> StatusReport.Instance {
            .init(
                number: number, node: "counter-\(number)@host", status: status,
                reason:
                    "it does not answer: connecting to counter-\(number)@host: connection refused",
                version: "0.12.1", previousVersion: "0.12.0", lastDeployment: "hot_upgrade",
                otp: "not_connected", pid: 1_234_567, port: 40_001, uptimeSeconds: 93_784,
                isStoppedByOperator: status == "idle",
                crashRestarts: 12, forcedRestarts: 3)
        }
        return StatusReport(
            node: "deployex@production-server-1", version: "0.1.0", usesTLS: true,
            uptimeSeconds: 93_784,
            applications: [
                .init(
                    name: "counter", targetVersion: "0.12.1", pinnedVersion: "0.12.1",
                    ghosted: [.init(version: "0.12.2", hash: "", reason: "")],
                    problem: "no package at /var/storage/dist/counter/counter-0.12.1.tar.gz",
                    instances: [
                        instance(1, "running"), instance(2, "unresponsive"), instance(3, "idle"),
                    ])
            ])
    }()

    @Test(arguments: [120, 80, 60, 40, 20])
    func `status fits the terminal`(columns: Int) {
        let lines = StatusTable(Self.busy, within: columns).lines.map(\.text)
        for line in lines { #expect(TextColumns.count(line) <= columns, "\(line)") }
        for word in ["running", "unrespons", "stopped"] {
            #expect(lines.contains { $0.contains(word) })
        }
        #expect(
            lines.contains { $0.contains("0.12.1") && $0.contains("running") } == (columns > 20))
        // What an operator looks for first is there on 80 columns.
        let header = lines.first { $0.hasPrefix("INSTANCE") } ?? ""
        let wanted = ["STATUS", "VERSION", "OTP", "PID", "PORT", "UPTIME", "CRASHES", "FORCED"]
        #expect(wanted.allSatisfy(header.contains) == (columns >= 80))
    }

    @Test func `with processor and memory the status fits 80 columns too`() {
        var busy = Self.busy
        busy.applications[0].instances[0].processorPercent = 123.4
        busy.applications[0].instances[0].memoryByteCount = 3 << 29
        let lines = StatusTable(busy, withUsage: true, within: 80).lines.map(\.text)
        for line in lines { #expect(TextColumns.count(line) <= 80, "\(line)") }
        let header = lines.first { $0.hasPrefix("INSTANCE") } ?? ""
        for word in ["STATUS", "VERSION", "PID", "UPTIME", "CPU", "MEMORY"] {
            #expect(header.contains(word), "\(header)")
        }
        #expect(lines.contains { $0.contains("123.4%") && $0.contains("1.5 GiB") })
        #expect(StatusTable.memory(1 << 20) == "1.0 MiB" && StatusTable.memory(nil) == "-")
        #expect(StatusTable.memory(.max) != "-" && StatusTable.memory(-1) == "-")
    }

    @Test func `the state some time later is the same, and everything is older`() {
        let later = Self.busy.later(by: 5)
        #expect(later.uptimeSeconds == 93_789)
        #expect(later.applications[0].instances[2].uptimeSeconds == 93_789)
        #expect(later.later(by: -5) == Self.busy)
    }

    @Test func `a screen is written over in one piece, and never scrolls`() {
        let lines: [StyledLine] = ["one", "two", "three"]
        #expect(
            Screen.text(lines, rows: 24, isFirst: true)
                == "\u{1B}[2J\u{1B}[Hone\u{1B}[K\ntwo\u{1B}[K\nthree\u{1B}[K\n\u{1B}[J")
        #expect(
            Screen.text(lines, rows: 3, isFirst: false)
                == "\u{1B}[Hone\u{1B}[K\n… and 2 more lines\u{1B}[K\n\u{1B}[J")
    }

    @Test(arguments: [120, 80, 40])
    func `versions fit the terminal`(columns: Int) {
        var outcome = VersionsReport.Outcome.empty
        (outcome.version, outcome.hash) = ("0.12.1", String(repeating: "a1", count: 32))
        (outcome.kind, outcome.instance, outcome.outcome) = ("full_deployment", 3, "succeeded")
        (outcome.at, outcome.durationSeconds) = ("2026-01-02T03:04:05Z", 12.5)
        outcome.reason = "instance 3: it crashed 4 times: exit status 1"
        var application = VersionsReport.Application.empty
        application.history = [outcome]
        var report = VersionsReport.empty
        report.applications = [application]
        let lines = VersionsTable(report, within: columns).lines.map(\.text)
        for line in lines { #expect(TextColumns.count(line) <= columns, "\(line)") }
        #expect(lines.contains { $0.contains("0.12.1") && $0.contains("succeeded") })
    }

    @Test func `status is a line for the node, one for each application and a table`() {
        let instance = map(
            ("instance", 1), ("status", .binary("running")), ("version", .binary("0.1.0")),
            ("previous_version", .atom("null")), ("last_deployment", .binary("full_deployment")),
            ("otp", .binary("connected")), ("os_pid", 42), ("port", 4000),
            ("uptime_seconds", 3_723), ("crash_restarts", 1), ("forced_restarts", 0))
        let status = map(
            ("node", .binary("deployex@host")), ("version", .binary("1.0.0")),
            ("tls", .atom("false")), ("uptime_seconds", 59),
            (
                "apps",
                [
                    map(
                        ("name", .binary("counter")), ("target_version", .binary("0.1.0")),
                        ("instances", [instance]))
                ]
            ))
        #expect(
            StatusTable(StatusReport(reading: status)).lines.map(\.text) == [
                "deployex@host  deployex 1.0.0  up 59s  mTLS off",
                "",
                "counter  target version 0.1.0",
                "INSTANCE  STATUS   VERSION  PREVIOUS  DEPLOYED  OTP  PID  PORT  UPTIME  CRASHES  "
                    + "FORCED",
                "1         running  0.1.0    -         full      up   42   4000  1h 2m   1        "
                    + "0",
            ])
    }

    @Test func `what was pinned, ghosted, stopped or does not respond is shown`() {
        let status = map(
            (
                "apps",
                [
                    map(
                        ("name", .binary("counter")), ("target_version", .binary("1.0")),
                        ("pinned_version", .binary("1.0")),
                        ("ghosted", [map(("version", .binary("1.1")))]),
                        (
                            "instances",
                            [
                                map(
                                    ("instance", 1), ("status", .binary("idle")),
                                    ("stopped_by_operator", true)),
                                map(
                                    ("instance", 2), ("status", .binary("unresponsive"))),
                            ]
                        ))
                ]
            ))
        let lines = StatusTable(StatusReport(reading: status)).lines.map(\.rendered)
        #expect(lines[2] == "counter  target version 1.0 (pinned)  ghosted 1.1")
        #expect(lines[4].hasPrefix("1         stopped       -"))
        #expect(lines[5].hasPrefix("2         unresponsive  -"))
        #expect(!lines.joined().contains("\u{1B}"))
        let coloured = StatusTable(StatusReport(reading: status), usesColours: true).lines.map(
            \.rendered)
        #expect(coloured[4].contains("\u{1B}[33mstopped\u{1B}[0m"))
        #expect(coloured[5].contains("\u{1B}[31munresponsive\u{1B}[0m"))
    }

    @Test func `versions are the ghosted ones with their logs, then the history, newest first`() {
        func outcome(_ version: String, _ outcome: String, _ reason: Term) -> Term {
            map(
                ("version", .binary(version)), ("hash", .binary("h")),
                ("kind", .binary("full_deployment")), ("instance", 1),
                ("outcome", .binary(outcome)), ("at", .binary("2026-01-02T03:04:05Z")),
                ("duration_seconds", .float(1.5)), ("reason", reason))
        }
        let versions = map(
            (
                "apps",
                [
                    map(
                        ("name", .binary("counter")), ("target_version", .binary("1.0")),
                        ("pinned_version", .atom("null")),
                        (
                            "ghosted",
                            [
                                map(
                                    ("version", .binary("1.1")), ("hash", .binary("h")),
                                    ("at", .binary("2026-01-02T03:04:06Z")),
                                    ("reason", .binary("not ready")),
                                    ("log_lines", [.binary("no database")]))
                            ]
                        ),
                        (
                            "history",
                            [
                                outcome("1.0", "succeeded", .atom("null")),
                                outcome("1.1", "failed", .binary("not\nready")),
                            ]
                        ))
                ]
            ))
        #expect(
            VersionsTable(VersionsReport(reading: versions)).lines.map(\.text) == [
                "counter  target version 1.0",
                "ghosted 1.1 (h) at 2026-01-02T03:04:06Z: not ready",
                "    no database",
                "WHEN                  INSTANCE  VERSION  HASH  KIND             OUTCOME    TOOK",
                "2026-01-02T03:04:05Z  1         1.1      h     full_deployment  failed     1.5 s",
                "    not | ready",
                "2026-01-02T03:04:05Z  1         1.0      h     full_deployment  succeeded  1.5 s",
            ])
    }

    @Test(arguments: [Term.atom("odd"), [], 1, map(("apps", 1)), map(("apps", [1, []]))])
    func `a status of another shape is shown as far as it goes`(odd: Term) {
        #expect(
            StatusTable(StatusReport(reading: odd)).lines[0].text == "-  deployex -  up -  mTLS off"
        )
    }

    @Test func `text of others reaches no terminal as it is`() {
        let evil = "1.0\u{1B}[2J\u{202E}\nmore"
        let status = map(
            ("node", .binary(evil)), ("version", .binary(evil)),
            (
                "apps",
                [
                    map(
                        ("name", .binary(evil)), ("problem", .binary(evil)),
                        ("instances", [map(("status", .binary(evil)))]))
                ]
            ))
        let versions = map(
            (
                "apps",
                [
                    map(
                        ("name", .binary(evil)),
                        (
                            "ghosted",
                            [map(("reason", .binary(evil)), ("log_lines", [.binary(evil)]))]
                        ),
                        ("history", [map(("reason", .binary(evil)))]))
                ]
            ))
        let lines =
            StatusTable(StatusReport(reading: status), usesColours: true).lines
            + VersionsTable(VersionsReport(reading: versions)).lines
        for line in lines {
            #expect(!line.rendered.contains("\u{1B}[2J") && !line.rendered.contains("\n"))
            #expect(!line.rendered.contains("\u{202E}"))
        }
        #expect(lines.count { $0.text.contains("1.0\\x{1B}[2J\\x{202E} | more") } == 8)
        #expect(!status.json.contains("\u{1B}") && !status.json.contains("\u{202E}"))
        #expect(status.json.contains("\\u001b[2J\\u202e\\nmore"))
    }

    @Test(arguments: [Int.max, Int.min, -1, 0, 1 << 20, 3 << 19])
    func `a node may say any figure of its health`(_ figure: Int) {
        var health = Health(boot: .atom("started"), started: [])
        health.memoryByteCount = figure
        health.processCount = figure
        let report = HealthReport(node: "a@b", application: nil, health: health)
        #expect(report.line.contains("processes \(figure)"))
        switch figure {
        case ..<0: #expect(report.line.contains("memory unknown"))
        case 3 << 19: #expect(report.line.contains("memory 1.5 MiB"))
        default: #expect(report.line.contains("memory \(figure >> 20).0 MiB") || figure == .max)
        }
    }

    @Test func `lines of several programs stay whole, each after its name`() {
        var lines = LogLines(names: ["counter-1 out", "mailer-10 err"], isForTerminal: false)
        func taken(_ text: String, _ index: Int) -> String {
            String(decoding: lines.take(Array(text.utf8), from: index), as: UTF8.self)
        }
        #expect(taken("one\ntw", 0) == "counter-1 out | one\n")
        #expect(
            taken("\n\u{1B}[31mred\n", 1) == "mailer-10 err | \nmailer-10 err | \u{1B}[31mred\n")
        #expect(taken("o\nth", 0) == "counter-1 out | two\n")
        #expect(String(decoding: lines.finish(), as: UTF8.self) == "counter-1 out | th\n")
        #expect(lines.finish() == [])
        let long = [UInt8](repeating: 97, count: 150_000)
        let parts = lines.take(long, from: 0).split(separator: 10)
        #expect(!parts.isEmpty && parts.allSatisfy { $0.count < 70_000 })
    }

    @Test func `on a terminal a line's colours end with it, and it can do nothing else`() {
        var lines = LogLines(names: ["a"], isForTerminal: true)
        let text = Array("\u{1B}[31mred\u{1B}[2J\n\u{1B}[3\nplain\r\n".utf8)
        #expect(
            String(decoding: lines.take(text, from: 0), as: UTF8.self)
                == "a | \u{1B}[31mred\\x{1B}[2J\u{1B}[0m\na | \\x{1B}\\x{5B}\\x{33}\na | plain\n")
    }

    private static let details = map(
        ("application", .binary("counter")), ("instance", 2),
        ("node", .binary("counter-2@host")), ("port", 4001),
        ("folder", .binary("/var/lib/deployex/service/counter/2/current")),
        ("program", .binary("/var/lib/deployex/service/counter/2/current/bin/counter")),
        ("stdout", .binary("/var/log/counter/counter-2-stdout.log")),
        ("stderr", .binary("/var/log/counter/counter-2-stderr.log")),
        ("variables", [.binary("DATABASE_URL")]),
        ("deleted_libraries", [.binary("libcrypto.so.3"), .binary("lib\u{1B}[2J.so")]),
        (
            "environment",
            [
                "RELEASE_NODE_SUFFIX": "-2", "RELEASE_NODE": "counter-2",
                "RELEASE_DISTRIBUTION": "sname", "DATABASE_URL": "confidential",
            ].term
        ))

    @Test func `a description says everything about an instance, and shows no secret`() {
        var outcome = VersionsReport.Outcome.empty
        (outcome.version, outcome.instance, outcome.at) = ("0.12.1", 2, "2026-01-02T03:04:05Z")
        (outcome.kind, outcome.outcome) = ("hot_upgrade", "succeeded")
        var other = outcome
        (other.version, other.instance) = ("0.12.0", 1)
        let lines = InstanceDescription(
            application: "counter", number: 2, details: Self.details,
            state: Self.busy.applications[0].instances[1], history: [other, outcome],
            cookie: .file("/etc/deployex/cookie"), within: nil
        ).lines.map(\.text)
        for line in [
            "counter-2", "  status      unresponsive",
            "  version     0.12.1 by a hot upgrade, before it 0.12.0",
            "  process     1234567, up 1d 2h",
            "  restarts    12 after crashes, 3 by deployex or an operator",
            "  node        counter-2@host, not connected", "  port        4001",
            "  release     /var/lib/deployex/service/counter/2/current",
            "  stdout      /var/log/counter/counter-2-stdout.log",
            "  stderr      /var/log/counter/counter-2-stderr.log",
            "  RELEASE_NODE_SUFFIX=-2 RELEASE_NODE=counter-2@host RELEASE_DISTRIBUTION=sname "
                + "RELEASE_COOKIE=\"$(cat /etc/deployex/cookie)\" "
                + "/var/lib/deployex/service/counter/2/current/bin/counter remote",
            "  (the configuration also sets DATABASE_URL)",
            "  libraries   libcrypto.so.3, lib\\x{1B}[2J.so: replaced or removed since its start; "
                + "a restart takes the newer ones",
        ] { #expect(lines.contains(line), "\(line)") }
        #expect(lines.contains { $0.contains("0.12.1") && $0.contains("hot_upgrade") })
        #expect(!lines.contains { $0.contains("0.12.0  ") && $0.contains("hot_upgrade") })
        #expect(!lines.joined().contains("confidential"))
    }

    @Test func `the cookie is named by where it comes from`() {
        func cookie(
            _ given: String?, _ environment: [String: String], _ record: String? = nil
        ) -> RemoteByHand.Cookie {
            var options = DistributionOptions()
            options.cookie = given
            return RemoteByHand.Cookie(options, environment, record: record)
        }
        let all = ["DEPLOYEX_ERLANG_COOKIE": "c", "DEPLOYEX_COOKIE_FILE": "/c"]
        #expect(cookie("secret", all) == .argument)
        #expect(cookie(nil, all) == .variable("DEPLOYEX_ERLANG_COOKIE"))
        #expect(cookie(nil, ["DEPLOYEX_COOKIE_FILE": "/c d"], "/n") == .file("/c d"))
        #expect(cookie(nil, [:], "/b/node.json") == .record("/b/node.json"))
        let recorded = RemoteByHand(Self.details, cookie: .record("/b/node.json"))?.line
        #expect(
            recorded?.contains(
                #"RELEASE_COOKIE="$(sed 's/.*"cookie":"\([^"]*\)".*/\1/;s,\\/,/,g' /b/node.json)""#)
                == true)
        #expect(cookie(nil, [:]) == .file("~/.erlang.cookie"))
        func begin(_ port: String?) -> Bool? {
            RemoteByHand(Self.details, cookie: .argument, epmdPort: port)?.line.hasPrefix(
                "ERL_EPMD_PORT=4370 RELEASE_NODE_SUFFIX=-2 ")
        }
        #expect(begin("4370") == true && begin("4369") == false && begin(nil) == false)
        let line = RemoteByHand(Self.details, cookie: .file("/c d"))?.line
        #expect(line?.contains(#"RELEASE_COOKIE="$(cat '/c d')""#) == true)
    }
}
