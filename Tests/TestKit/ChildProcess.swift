internal import Glibc
internal import Synchronization

/// A program that was started for a test: without a shell, with default signals, and with nothing
/// open but its three streams. It is waited for and signalled by its pid alone, and it is killed
/// when the test lets go of it, at the latest.
///
/// What waits blocks its thread: call it in `offload` where that matters.
package final class ChildProcess: Sendable {
    package enum Input: Sendable {
        case null
        /// See ``write(_:)`` and ``closeInput()``.
        case pipe
    }

    package enum Output: Sendable {
        case null
        /// Where ours goes.
        case inherited
        /// See ``line(after:within:)`` and ``wait(within:)``.
        case pipe
        /// Appended to a file, which is made where there is none.
        case file(String)
    }

    package struct Result: Equatable, Sendable {
        /// The exit status, or 128 + the signal's number.
        package var status: Int32
        package var output: String
    }

    package let pid: Int32
    private let name: String
    private let end = Mutex<Int32?>(nil)
    private let input: Mutex<Int32?>
    /// Held while a reader waits.
    private let output: Mutex<PipeReader?>

    /// - Parameters:
    ///   - program: its path, or a name that is looked for in PATH.
    ///   - environment: all variables that it has; without it, ours.
    ///   - errors: where its stderr goes; without it, where its stdout does.
    ///   - leadsSession: whether it has a session of its own, so that no terminal signals it.
    ///   - extraDescriptor: also open in it, under this number.
    package init(
        _ program: String, _ arguments: [String] = [], environment: [String: String]? = nil,
        input: Input = .null, output: Output = .null, errors: Output? = nil,
        leadsSession: Bool = false, extraDescriptor: Int32? = nil
    ) throws(TestFailure) {
        let streams = ProcessStreams(
            input: input, output: output, errors: errors, extraDescriptor: extraDescriptor)
        let started = try streams.start(
            [program] + arguments, environment: environment ?? ThisHost.environment,
            leadsSession: leadsSession)
        name = program
        pid = started.pid
        self.input = Mutex(started.input)
        self.output = Mutex(started.output.map { PipeReader($0) })
    }

    /// Runs a program to its end, and returns what it prints. Its exit status must be 0.
    @discardableResult
    package static func run(
        _ program: String, _ arguments: [String] = [], environment: [String: String]? = nil,
        errors: Output? = nil, within timeout: Duration = .seconds(60)
    ) throws(TestFailure) -> String {
        let child = try ChildProcess(
            program, arguments, environment: environment, output: .pipe, errors: errors)
        let result = try child.wait(within: timeout)
        guard result.status == 0 else {
            let command = ([program] + arguments).joined(separator: " ")
            throw TestFailure("\(command) ended with status \(result.status): \(result.output)")
        }
        return result.output
    }

    deinit {
        kill()
        closeInput()
        output.withLock { if let reader = $0 { close(reader.descriptor) } }
    }

    // MARK: Its end

    /// How it ended, as in ``Result``; `nil` while it runs. Its pid is free once this is known.
    package var status: Int32? { end.withLock { reaped($0, WNOHANG, &$0) } }

    package var hasEnded: Bool { status != nil }

    package func send(_ signal: Int32) {
        end.withLock { end in
            if reaped(end, WNOHANG, &end) == nil { Glibc.kill(pid, signal) }
        }
    }

    /// Kills it, and waits until it has gone.
    package func kill() {
        send(SIGKILL)
        end.withLock { _ = reaped($0, 0, &$0) }
    }

    @discardableResult
    private func reaped(_ known: Int32?, _ options: Int32, _ end: inout Int32?) -> Int32? {
        guard known == nil else { return known }
        var raw: Int32 = 0
        var found = waitpid(pid, &raw, options)
        while found < 0, errno == EINTR { found = waitpid(pid, &raw, options) }
        guard found == pid else { return nil }
        let signal = raw & 0x7F
        end = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
        return end
    }

    /// Waits for its end, and returns its status; `nil` when it still runs then.
    package func waitForEnd(_ timeout: Duration) -> Int32? {
        let deadline = ContinuousClock.now + timeout
        while !hasEnded {
            guard ContinuousClock.now < deadline else { return nil }
            usleep(2_000)
        }
        return status
    }

    /// Waits until somebody listens on `port`, as it is to, and returns itself.
    package func listening(on port: Int) throws(TestFailure) -> ChildProcess {
        let deadline = ContinuousClock.now + .seconds(20)
        while !FreePorts.isListening(port) {
            guard !hasEnded, ContinuousClock.now < deadline else {
                throw TestFailure("\(name) (pid \(pid)) does not listen on port \(port)")
            }
            usleep(5_000)
        }
        return self
    }

    /// Asks it to end, by the end of its stdin where that is a pipe, else by SIGTERM. Kills it
    /// where that is not enough.
    package func end(within timeout: Duration) {
        if !closeInput() { send(SIGTERM) }
        if waitForEnd(timeout) == nil { kill() }
    }

    // MARK: Its streams

    /// Writes to its stdin.
    package func write(_ text: String) throws(TestFailure) {
        try input.withLock { input throws(TestFailure) in
            guard let input else { throw TestFailure("\(name) has no stdin") }
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
                guard count > 0 else { throw TestFailure("\(name) (pid \(pid)) has ended") }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Ends its stdin; whether that was open.
    @discardableResult
    package func closeInput() -> Bool {
        input.withLock { input in
            defer { input = nil }
            return input.map { close($0) } != nil
        }
    }

    /// The rest of the next line that begins with `prefix`. Those before it are left out.
    package func line(
        after prefix: String = "", within timeout: Duration = .seconds(20)
    ) throws(TestFailure) -> String {
        let line = try line(within: timeout) { $0.hasPrefix(prefix) }
        return String(line.dropFirst(prefix.count))
    }

    /// The next line with `text` in it. Those before it are left out.
    package func line(
        containing text: String, within timeout: Duration = .seconds(20)
    ) throws(TestFailure) -> String {
        try line(within: timeout) { $0.contains(text) }
    }

    private func line(
        within timeout: Duration, where isWanted: (String) -> Bool
    ) throws(TestFailure) -> String {
        try read(timeout) { (reader, deadline) throws(TestFailure) in
            while true {
                while let line = reader.nextLine() {
                    if isWanted(line) { return line }
                    reader.leftOut += line + "\n"
                }
                guard try reader.fill(deadline) else {
                    throw TestFailure("it has ended; it said: \(reader.leftOut)")
                }
            }
        }
    }

    /// The lines that were left out.
    package var leftOut: String { output.withLock { $0?.leftOut ?? "" } }

    package func forgetLeftOut() {
        output.withLock { $0?.leftOut = "" }
    }

    /// Waits for its end, and returns what it prints until then beside what was read before.
    package func wait(within timeout: Duration = .seconds(20)) throws(TestFailure) -> Result {
        let deadline = ContinuousClock.now + timeout
        let text = try read(timeout) { (reader, deadline) throws(TestFailure) in
            while try reader.fill(deadline) {}
            defer { reader.unread = [] }
            return String(decoding: reader.unread, as: UTF8.self)
        }
        guard let status = waitForEnd(deadline - .now) else {
            throw TestFailure("\(name) (pid \(pid)) has not ended in \(timeout)")
        }
        return Result(status: status, output: text)
    }

    private func read<Value: Sendable>(
        _ timeout: Duration,
        _ body: (inout PipeReader, ContinuousClock.Instant) throws(TestFailure) -> Value
    ) throws(TestFailure) -> Value {
        let deadline = ContinuousClock.now + timeout
        return try output.withLock { (output) throws(TestFailure) in
            guard var reader = output else { throw TestFailure("\(name) has no pipe to read") }
            defer { output = reader }
            do { return try body(&reader, deadline) } catch {
                throw TestFailure("\(name) (pid \(pid)): \(error)")
            }
        }
    }
}

/// What a child has printed, and we have not handed out.
private struct PipeReader {
    let descriptor: Int32
    var unread: [UInt8] = []
    var leftOut = ""

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    mutating func nextLine() -> String? {
        guard let end = unread.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        defer { unread.removeSubrange(...end) }
        return String(decoding: unread[..<end], as: UTF8.self)
    }

    /// Waits for more; `false` at the end.
    mutating func fill(_ deadline: ContinuousClock.Instant) throws(TestFailure) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let left = Int32(max((deadline - .now) / .milliseconds(1), 0))
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let found = poll(&entry, 1, left)
            guard found != 0 else { throw TestFailure("nothing more came; it said: \(leftOut)") }
            let count = found < 0 ? -1 : read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            unread += chunk[..<max(count, 0)]
            return count > 0
        }
    }
}
