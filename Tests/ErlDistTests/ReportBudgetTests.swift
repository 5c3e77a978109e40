import Testing
import Transport

@testable import ErlDist

struct ReportBudgetTests {
    private func at(_ seconds: Int64) -> MonotonicTime {
        MonotonicTime(nanoseconds: seconds * 1_000_000_000)
    }

    private var small: ReportBudget.Limits {
        var limits = ReportBudget.Limits()
        (limits.burstOfSource, limits.perMinuteOfSource) = (2, 1)
        (limits.burst, limits.perMinute) = (3, 2)
        return limits
    }

    @Test func `a cause is told once for each source, and again after a while`() {
        var budget = ReportBudget()
        #expect(budget.record("x", of: "a", now: at(0)) == .tell)
        #expect(budget.record("x", of: "a", now: at(1)) == .known)
        #expect(budget.record("x", of: "b", now: at(1)) == .tell)
        #expect(budget.record("y", of: "a", now: at(1)) == .tell)
        #expect(budget.record("x", of: "a", now: at(3599)) == .known)
        #expect(budget.record("x", of: "a", now: at(3600)) == .tell)
        #expect(budget.takeSummary() == 0)
    }

    @Test func `a source has a few lines in a row, then some a minute`() {
        var budget = ReportBudget(limits: small)
        #expect(budget.record("1", of: "a", now: at(0)) == .tell)
        #expect(budget.record("2", of: "a", now: at(0)) == .tell)
        #expect(budget.record("3", of: "a", now: at(0)) == .leaveOut(summaryAt: at(60)))
        #expect(budget.record("4", of: "a", now: at(59)) == .leaveOut(summaryAt: nil))
        #expect(budget.takeSummary() == 2)
        #expect(budget.record("5", of: "a", now: at(61)) == .tell)
        #expect(budget.record("6", of: "a", now: at(61)) == .leaveOut(summaryAt: at(121)))
        #expect(budget.takeSummary() == 1)
    }

    @Test func `what is told each time has the same limit`() {
        var budget = ReportBudget(limits: small)
        #expect(budget.record(nil, of: "a", now: at(0)) == .tell)
        #expect(budget.record(nil, of: "a", now: at(0)) == .tell)
        #expect(budget.record(nil, of: "a", now: at(0)) == .leaveOut(summaryAt: at(60)))
    }

    @Test func `all sources together have a limit, which a source without lines does not use up`() {
        var budget = ReportBudget(limits: small)
        for number in 1...100 {
            _ = budget.record("\(number)", of: "a", now: at(0))
        }
        #expect(budget.record("1", of: "b", now: at(0)) == .tell)
        #expect(budget.record("1", of: "c", now: at(0)) == .leaveOut(summaryAt: nil))
        #expect(budget.record("1", of: "c", now: at(30)) == .tell)
        #expect(budget.record("1", of: "d", now: at(30)) == .leaveOut(summaryAt: nil))
        #expect(budget.takeSummary() == 100)
    }

    @Test func `who changes the source and the cause each time gets no more lines than anybody`() {
        var budget = ReportBudget()
        var told = 0
        for second: Int64 in 0..<60 {
            for number in 0..<100 {
                let name = "\(second)-\(number)"
                if budget.record(name, of: name, now: at(second)) == .tell { told += 1 }
            }
        }
        #expect((64...(64 + 30)).contains(told), "\(told)")
        #expect(budget.takeSummary() == 6000 - told)
    }
}

struct PeerSourceTests {
    private func source(_ text: String) -> PeerSource? {
        SocketAddress(text, port: 1).map(PeerSource.init)
    }

    @Test func `who has many addresses is one source`() {
        #expect(source("127.0.0.1") == source("127.255.3.4"))
        #expect(source("127.0.0.1") == source("::1"))
        #expect(source("127.0.0.1") == source("::ffff:127.0.0.9"))
        #expect(source("2001:db8:1:2::1") == source("2001:db8:1:2:ffff::9"))
        #expect(source("192.0.2.1") == source("::ffff:192.0.2.1"))
    }

    @Test func `others are not`() {
        #expect(source("192.0.2.1") != source("192.0.2.2"))
        #expect(source("2001:db8:1:2::1") != source("2001:db8:1:3::1"))
        #expect(source("127.0.0.1") != source("128.0.0.1"))
        #expect(source("2001:db8:1:2::1")?.description == "2001:db8:1:2::/64")
        #expect(source("192.0.2.1")?.description == "192.0.2.1")
    }
}
