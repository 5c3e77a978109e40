import ExternalTermFormat
import Testing

@testable import deployex

private func map(_ pairs: (Atom, Term)...) -> Term {
    .map(TermMap(pairs.map { (key: .atom($0.0), value: $0.1) }))
}

@Suite struct ReportTests {
    @Test func `a table's columns are as wide as their widest cell`() {
        var table = Table(header: ["A", "LONG"])
        table.append(["value", "x"])
        #expect(table.lines == ["A      LONG", "value  x"])
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
            StatusTable(status).lines == [
                "deployex@host  deployex 1.0.0  up 59s  mTLS off",
                "",
                "counter  target version 0.1.0",
                "INSTANCE  STATUS   VERSION  PREVIOUS  LAST DEPLOYMENT  OTP        PID  PORT  "
                    + "UPTIME  CRASHES  FORCED",
                "1         running  0.1.0    -         full_deployment  connected  42   4000  "
                    + "1h 2m   1        0",
            ])
    }

    @Test(arguments: [Term.atom("odd"), [], 1, map(("apps", 1)), map(("apps", [1, []]))])
    func `a status of another shape is shown as far as it goes`(odd: Term) {
        #expect(StatusTable(odd).lines[0] == "-  deployex -  up -  mTLS off")
    }
}
