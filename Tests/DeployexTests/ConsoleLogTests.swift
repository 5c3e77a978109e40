import ErlDist
import Glibc
import Testing

@testable import Supervisor
@testable import deployex

@Suite struct ConsoleLogTests {
    @Test func `journald gets priorities, and others the time where it is asked for`() {
        let time = LogTimestamp(milliseconds: 42)
        func starts(isForJournal: Bool, time: LogTimestamp?) -> [String] {
            [LogLevel.error, .warning, .notice, .info, .debug].map {
                ConsoleLog.start($0, isForJournal: isForJournal, time: time)
            }
        }
        let priorities = ["<3>", "<4>", "<5>", "<6>", "<7>"]
        #expect(starts(isForJournal: true, time: nil) == priorities)
        #expect(starts(isForJournal: true, time: time) == priorities)
        #expect(starts(isForJournal: false, time: nil) == Array(repeating: "", count: 5))
        #expect(
            ConsoleLog.start(.info, isForJournal: false, time: time) == "1970-01-01T00:00:00.042Z ")
    }

    @Test func `a stream is the journal's if the variable names it by device and inode`() {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        var status = stat()
        #expect(fstat(ends[1], &status) == 0)
        let own = "\(status.st_dev):\(status.st_ino)"
        #expect(ConsoleLog.isJournal(ends[1], own))
        for other in [nil, "", ":", "\(status.st_dev):\(status.st_ino + 1)", own + "0", "x"] {
            #expect(!ConsoleLog.isJournal(ends[1], other))
        }
        #expect(!ConsoleLog.isJournal(-1, own))
    }
}
