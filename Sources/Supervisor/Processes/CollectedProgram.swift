internal import CLinux
internal import Glibc
package import Transport

/// Runs a program to its end and collects what it prints, in memory only, since that may be a
/// secret.
///
/// The invariant behind `@unchecked Sendable`: everything is touched on the loop's thread only.
package final class CollectedProgram: @unchecked Sendable {
    package struct Output: Equatable, Sendable {
        package var exit: ProcessExit
        package var standardOutput: [UInt8]
        /// The beginning of it.
        package var standardError: [UInt8]
    }

    package enum Failure: Error, Equatable, CustomStringConvertible {
        case notStarted(String)
        /// It has printed more than this many bytes, and was killed.
        case tooMuch(limit: Int)
        /// It was killed after this time.
        case timedOut(after: Duration)
        /// The calling task was cancelled, and the program was killed.
        case stopped

        package var description: String {
            switch self {
            case .notStarted(let reason): reason
            case .tooMuch(let limit): "it prints more than \(limit) bytes"
            case .timedOut(let after): "it has not ended within \(after)"
            case .stopped: "stopped"
            }
        }
    }

    /// What is kept of the standard error.
    package static let errorByteLimit = 4 << 10

    private let loop: EventLoop
    private let limit: Int
    private var output: CollectedPipe?
    private var errors: CollectedPipe?
    private var session: ProcessSession?
    private var exit = ProcessExit.unknown
    private var failure: Failure?
    private var hasEnded = false
    private var waiter: CheckedContinuation<Void, Never>?

    private init(loop: EventLoop, limit: Int) {
        self.loop = loop
        self.limit = limit
    }

    /// Called on the loop's thread, by an actor that is pinned to it. Returns when no process of
    /// the program's session is left.
    /// - Parameters:
    ///   - program: its standard output and error are not used.
    ///   - limit: how much it may print.
    package nonisolated(nonsending) static func run(
        _ program: Program, on loop: EventLoop, limit: Int, within deadline: Duration
    ) async throws(Failure) -> Output {
        let run = CollectedProgram(loop: loop, limit: limit)
        do {
            try await run.start(program)
        } catch {
            run.close()
            throw .notStarted("\(error)")
        }
        let timer = loop.schedule(after: deadline) { run.end(.timedOut(after: deadline)) }
        await withTaskCancellationHandler {
            await withCheckedContinuation { run.wait($0) }
        } onCancel: {
            loop.execute { run.end(.stopped) }
        }
        timer.cancel()
        if let failure = run.failure { throw failure }
        return Output(
            exit: run.exit, standardOutput: run.output?.bytes ?? [],
            standardError: run.errors?.bytes ?? [])
    }

    private nonisolated(nonsending) func start(_ program: Program) async throws {
        let output = try CollectedPipe(on: loop, limit: limit) { [weak self] in
            guard let self else { return }
            end(.tooMuch(limit: limit))
        }
        self.output = output
        let errors = try CollectedPipe(on: loop, limit: Self.errorByteLimit, isFull: nil)
        self.errors = errors
        var program = program
        (program.stdoutPath, program.stderrPath) = ("/dev/null", "/dev/null")
        (program.stdout, program.stderr) = (output.given, errors.given)
        let session = try await ProcessSession.start(program, on: loop) { self.received($0) }
        self.session = session
        // It runs already while its start is being reported to us.
        if failure != nil { session.killSession() }
        // From now on only the program has its ends.
        output.closeGiven()
        errors.closeGiven()
    }

    private func received(_ event: ProcessSession.Event) {
        switch event {
        case .left: break
        case .exited(let exit): self.exit = exit
        case .ended:
            close()
            session = nil
            hasEnded = true
            waiter.take()?.resume()
        }
    }

    private func wait(_ continuation: CheckedContinuation<Void, Never>) {
        if hasEnded { continuation.resume() } else { waiter = continuation }
    }

    private func end(_ failure: Failure) {
        guard !hasEnded, self.failure == nil else { return }
        self.failure = failure
        session?.killSession()
    }

    private func close() {
        output?.close()
        errors?.close()
    }
}

/// Our end of a pipe that a program writes to. Confined to the loop's thread.
private final class CollectedPipe: @unchecked Sendable {
    private(set) var bytes: [UInt8] = []
    private let loop: EventLoop
    private let limit: Int
    /// Called when more comes than may; without it, the rest is dropped.
    private let isFull: (() -> Void)?
    private var end: FileDescriptor?
    private var otherEnd: FileDescriptor?
    private var token: EventLoop.WatchToken?
    private var chunk = [UInt8](repeating: 0, count: 16 << 10)

    init(on loop: EventLoop, limit: Int, isFull: (() -> Void)?) throws(SystemError) {
        self.loop = loop
        self.limit = limit
        self.isFull = isFull
        var reading: Int32 = -1
        var writing: Int32 = -1
        guard clinux_pipe(&reading, &writing) == 0 else { throw .last("making a pipe") }
        end = FileDescriptor(owning: reading)
        otherEnd = FileDescriptor(owning: writing)
        token = try loop.watch(reading, for: .readable) { [weak self] _ in self?.isReadable() }
    }

    /// The program's end.
    var given: Int32? { otherEnd?.raw }

    func closeGiven() {
        otherEnd = nil
    }

    private func isReadable() {
        if readOnce() == .end { stop() }
    }

    /// Takes what is still there, and closes it.
    func close() {
        // The kernel's buffer has 64 KiB. Somebody who has left the session may write on.
        for _ in 0..<8 where readOnce() == .some { continue }
        stop()
    }

    private enum Reading { case some, nothing, end }

    private func readOnce() -> Reading {
        guard let raw = end?.raw else { return .end }
        let count = Glibc.read(raw, &chunk, chunk.count)
        guard count > 0 else { return count < 0 && clinux_errno() == EAGAIN ? .nothing : .end }
        let room = limit - bytes.count
        bytes += chunk.prefix(min(count, room))
        if count > room { isFull?() }
        return .some
    }

    private func stop() {
        if let token { loop.unwatch(token) }
        token = nil
        end = nil
        otherEnd = nil
    }
}
