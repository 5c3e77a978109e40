import Deployment
import ExternalTermFormat
import Testing

@testable import deployex

@Suite struct VerificationTurnTests {
    @Test func `one verification happens at a time`() {
        let turn = VerificationTurn()
        #expect(turn.begin())
        #expect(!turn.begin())
        turn.end()
        #expect(turn.begin())
    }
}

/// What people and programs get to see.
@Suite struct VerificationTextTests {
    private var report: VerificationReport {
        var report = VerificationReport.empty
        (report.instance, report.version) = ("counter-1", "1.0")
        report.deployment = "hot_upgrade"
        report.problems = ["the package's sha256"]
        var files = FileComparison()
        (files.sameCount, files.earlierCount, files.ownCount) = (7, 2, 3)
        (files.missing, files.changed, files.extra) = (["a"], ["b\u{1B}[2J"], ["c"])
        report.add(files)
        var modules = ModuleComparison()
        (modules.sameCount, modules.emulatorCount) = (9, 4)
        modules.changed = ["m (from x)"]
        modules.unpublished = ["n (from no file)"]
        modules.elsewhere = ["o (from /tmp/o.beam)"]
        report.add(modules, emulatorIsCompared: true)
        report.unchecked = ["the loaded code"]
        report.conclude()
        return report
    }

    @Test func `each finding has a line, and a name from outside is text only`() {
        let lines = VerificationText(report, within: nil).lines.map(\.text)
        #expect(
            lines == [
                "counter-1  1.0, upgraded in place",
                "  files       7 as in the package, 2 of the releases before it, 3 written by "
                    + "deployex or the release, not compared, 3 not as published",
                "  modules     9 loaded with the package's code, 4 of the emulator itself, 2 not as "
                    + "published",
                "  wrong       the package's sha256", "  missing     a",
                #"  changed     b\x{1B}[2J"#, "  extra       c", "  other code  m (from x)",
                "  unpublished n (from no file)", "  elsewhere   o (from /tmp/o.beam)",
                "  unchecked   the loaded code", "  result      not as published",
            ])
    }

    @Test func `it is said whether there was a digest to compare the package with`() {
        func line(_ published: String?) -> String? {
            var report = report
            (report.sha256, report.publishedSHA256) = ("ab12", published)
            return VerificationText(report, within: nil).lines.map(\.text)
                .first { $0.contains("sha256  ") }
        }
        #expect(line("ab12") == "  sha256      ab12, as published")
        #expect(line("cd34") == "  sha256      ab12")
        #expect(
            line(nil) == "  sha256      ab12; none was published to compare it with")
    }

    @Test func `a report survives its way to another deployex`() {
        #expect(VerificationReport(reading: report.term) == report)
    }
}
