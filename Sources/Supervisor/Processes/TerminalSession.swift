internal import CLinux
internal import Glibc
package import Transport

/// A program on a pseudo-terminal, which leads a session of its own with that terminal.
///
/// What the program writes is read as it comes, unless reading is paused: then the program waits as
/// soon as the kernel's buffer is full. When the program ends, or is ended, all of its session ends,
/// as with ``ProcessSession``.
///
/// The invariant behind `@unchecked Sendable`: everything is touched on the loop's thread only.
package final class TerminalSession: @unchecked Sendable {
    package enum Event: Equatable, Sendable {
        case output([UInt8])
        /// Nothing is left of it, and everything that it has written was reported.
        case ended(ProcessExit)
    }

    /// How many characters a terminal shows.
    package struct Size: Equatable, Sendable {
        package let columns: UInt16
        package let rows: UInt16

        /// - Returns: `nil` for a size that no terminal has.
        package init?(columns: Int, rows: Int) {
            guard 1...1_000 ~= columns, 1...1_000 ~= rows else { return nil }
            self.columns = UInt16(columns)
            self.rows = UInt16(rows)
        }
    }

    private let loop: EventLoop
    private let onEvent: (Event) -> Void
    private var terminal: FileDescriptor?
    private var token: EventLoop.WatchToken?
    private var process: ProcessSession?
    private var exit = ProcessExit.unknown
    private var pending: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)

    /// What may wait for the program to read it.
    package static let maximumPendingByteCount = 128 << 10
    /// More than the kernel's buffer holds.
    private static let maximumLastReadCount = 64

    private init(loop: EventLoop, onEvent: @escaping (Event) -> Void) {
        self.loop = loop
        self.onEvent = onEvent
    }

    /// Starts a program; called on the loop's thread, by an actor that is pinned to it.
    /// - Parameter onEvent: no event comes before the call has returned.
    package nonisolated(nonsending) static func start(
        _ program: Program, size: Size, on loop: EventLoop,
        onEvent: @escaping (Event) -> Void
    ) async throws -> TerminalSession {
        var ours: Int32 = -1
        var theirs: Int32 = -1
        guard clinux_open_terminal(&ours, &theirs) == 0 else {
            throw SystemError.last("opening a terminal")
        }
        let own = FileDescriptor(owning: ours)
        let given = FileDescriptor(owning: theirs)
        guard clinux_set_terminal_size(ours, size.columns, size.rows) == 0 else {
            throw SystemError.last("setting the size of a terminal")
        }
        if let user = program.setting.user {
            // The program may open it again, and nobody else may.
            guard fchown(theirs, user.id, gid_t.max) == 0 else {
                throw SystemError.last("giving \(user.name) the terminal")
            }
        }
        guard fchmod(theirs, 0o600) == 0 else {
            throw SystemError.last("closing the terminal to others")
        }
        var program = program
        program.terminal = given.raw
        let session = TerminalSession(loop: loop, onEvent: onEvent)
        session.process = try await ProcessSession.start(program, on: loop) { event in
            session.received(event)
        }
        // From now on only the program has its end, so that its end is noticed at ours.
        _ = consume given
        session.terminal = consume own
        session.watch()
        return session
    }

    /// Whether what the program writes is left to wait.
    package var isReadingPaused = false {
        didSet { if isReadingPaused != oldValue { watch() } }
    }

    /// Gives the program bytes to read.
    /// - Returns: `false` if too much waits for it already, or it has ended. Then nothing of it is
    ///   given.
    package func write(_ bytes: [UInt8]) -> Bool {
        guard raw != nil, pending.count + bytes.count <= Self.maximumPendingByteCount else {
            return false
        }
        pending += bytes
        writePending()
        watch()
        return true
    }

    /// Tells the program the new size, if it still runs.
    package func resize(_ size: Size) {
        guard let terminal = raw else { return }
        _ = clinux_set_terminal_size(terminal, size.columns, size.rows)
    }

    /// Ends everything of the session, soon.
    package func kill() {
        process?.killSession()
    }

    private var raw: Int32? { terminal?.raw }

    // MARK: Events

    private func received(_ event: ProcessSession.Event) {
        switch event {
        case .left: break
        case .exited(let exit): self.exit = exit
        case .ended:
            // What is still in the kernel's buffer is the last that it has written.
            for _ in 0..<Self.maximumLastReadCount where !readOnce() { break }
            close()
            process = nil
            onEvent(.ended(exit))
        }
    }

    /// Watches what is of interest now.
    private func watch() {
        if let token { loop.unwatch(token) }
        token = nil
        guard let terminal = raw else { return }
        var interest: EventLoop.Readiness = []
        if !isReadingPaused { interest.insert(.readable) }
        if !pending.isEmpty { interest.insert(.writable) }
        // A terminal that has ended would be reported again and again.
        guard !interest.isEmpty else { return }
        // It cannot be watched only when the kernel has no memory: it then ends.
        token = try? loop.watch(terminal, for: interest) { [weak self] readiness in
            self?.isReady(readiness)
        }
        if token == nil { kill() }
    }

    private func isReady(_ readiness: EventLoop.Readiness) {
        if readiness.contains(.writable) {
            writePending()
            if pending.isEmpty { watch() }
        }
        // Its end is reported as readable, too. Then there is nothing more to watch.
        if !isReadingPaused, !readOnce() { hasHungUp() }
    }

    /// The program's end is closed, or there is nothing to read just now.
    private func hasHungUp() {
        guard let terminal = raw else { return }
        var poll = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, 0) > 0, poll.revents & Int16(POLLHUP) != 0 else { return }
        close()
        // What has closed its terminal, and runs on, is of no use to anybody.
        kill()
    }

    private func close() {
        if let token { loop.unwatch(token) }
        token = nil
        terminal = nil
        pending = []
    }

    /// - Returns: whether something was read.
    private func readOnce() -> Bool {
        guard let terminal = raw else { return false }
        let count = Glibc.read(terminal, &buffer, buffer.count)
        if count < 0, clinux_errno() == EINTR { return true }
        // EIO: nobody has the other end open any more (pty(7)).
        guard count > 0 else { return false }
        onEvent(.output(Array(buffer[..<count])))
        return true
    }

    private func writePending() {
        guard let terminal = raw else { return }
        while !pending.isEmpty {
            let count = Glibc.write(terminal, pending, pending.count)
            if count < 0, clinux_errno() == EINTR { continue }
            guard count > 0 else {
                // EAGAIN: the program reads nothing at the moment. Otherwise nobody ever will.
                if count < 0, clinux_errno() != EAGAIN { pending = [] }
                break
            }
            pending.removeFirst(count)
        }
    }
}
