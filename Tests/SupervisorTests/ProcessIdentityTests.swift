import Glibc
import Testing

@testable import Supervisor

@Suite struct ProcessIdentityTests {
    private func parse(_ text: String) -> ProcessStatus? {
        ProcessStatus(parsing: Array(text.utf8))
    }

    @Test func `fields are counted from the last parenthesis of the name`() {
        let rest = " S 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 889123 1 2 3\n"
        for name in ["beam.smp", "a b", "(sd-pam)", ") S 1 2 3 (", ")", "", "a\nb"] {
            let expected = ProcessStatus(
                pid: 42, name: name, state: UInt8(ascii: "S"), parent: 7, session: 9,
                startTicks: 889_123, processorTicks: 11, residentPageCount: 2)
            #expect(parse("42 (\(name))" + rest) == expected, "\(name)")
        }
    }

    @Test func `what is no status line is rejected at every length`() {
        let line = "42 (a) S 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 889123"
        #expect(parse(line) != nil)
        for count in 0..<line.utf8.count - 6 {
            #expect(parse(String(line.prefix(count))) == nil)
        }
        #expect(parse(")(") == nil)
        #expect(parse("x (a) S 7 8 9 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 1") == nil)
        #expect(parse("1 (a) SS 7 8 9 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 1") == nil)
    }

    @Test func `this process has an identity that goes on holding`() throws {
        let identity = try #require(ProcessIdentity.ofRunning(pid: getpid()))
        #expect(identity.isRunning)
        #expect(identity.bootID.count == 36)
        #expect(identity.age < .seconds(3600))
    }

    @Test func `another start time or boot is another process`() throws {
        let identity = try #require(ProcessIdentity.ofRunning(pid: getpid()))
        var other = identity
        other.startTicks += 1
        #expect(!other.isRunning)
        #expect(ProcessHandle(other) == nil)
        other = identity
        other.bootID = "00000000-0000-0000-0000-000000000000"
        #expect(!other.isRunning)
        #expect(ProcessHandle(other) == nil)
        #expect(ProcessIdentity.ofRunning(pid: -1) == nil)
        #expect(ProcessIdentity.ofRunning(pid: 0) == nil)
    }

    @Test func `an exit is told in words`() {
        #expect("\(ProcessExit.code(1))" == "exit status 1")
        #expect("\(ProcessExit.signal(9))" == "killed by signal 9 (SIGKILL)")
        #expect("\(ProcessExit.signal(40))" == "killed by signal 40")
        #expect("\(ProcessExit.unknown)" == "exit status unknown")
    }
}
