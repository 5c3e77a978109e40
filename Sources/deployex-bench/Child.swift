internal import Glibc
internal import TestKit
internal import Transport

extension ChildProcess {
    /// Starts a program whose stdin and stdout are pipes to us; its stderr is ours.
    ///
    /// All that the bench starts ends when its stdin does, so that nothing is left behind whatever
    /// becomes of the bench.
    static func withPipes(
        _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws(TestFailure) -> ChildProcess {
        try ChildProcess(
            program, arguments, environment: ThisHost.environment.merging(environment) { $1 },
            input: .pipe, output: .pipe, errors: .inherited)
    }

    /// The next line of its stdout. Other work of the loop goes on meanwhile.
    func nextLine() async throws -> String {
        try await offload { try self.line(within: .seconds(600)) }
    }

    func end() {
        end(within: .seconds(2))
    }

    /// The processor time that it has used. Source: clock_getcpuclockid(3).
    func processorTime() throws(TestFailure) -> Duration {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else {
            throw TestFailure("process \(pid) has ended unexpectedly")
        }
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// What it has in memory, in bytes. Source: `VmRSS` in proc_pid_status(5).
    func residentByteCount() throws(TestFailure) -> Int {
        guard
            let text = ProcFolder.value("VmRSS", in: "/proc/\(pid)/status"),
            let kilobytes = Int(text.filter(\.isNumber))
        else { throw TestFailure("process \(pid) has ended unexpectedly") }
        return kilobytes << 10
    }
}
