internal import Deployment
internal import ExternalTermFormat
internal import FoundationEssentials
internal import Supervisor
internal import Transport

/// How far somebody has read a terminal: `1234`, or `1234e` with its end.
struct TerminalPlace: Equatable {
    var offset: Int
    var isEnd: Bool

    var text: String { "\(offset)" + (isEnd ? "e" : "") }

    init(offset: Int, isEnd: Bool) {
        self.offset = offset
        self.isEnd = isEnd
    }

    init?(_ text: String) {
        isEnd = text.hasSuffix("e")
        guard let offset = Int(isEnd ? text.dropLast() : text[...]), offset >= 0 else {
            return nil
        }
        self.offset = offset
    }
}

/// The open terminals, by their identifiers of 128 random bits.
actor Terminals {
    private struct Terminal {
        var instance: String
        var visitor: Visitor
        /// `nil` while it is being started.
        var shell: (any OpenedTerminal)?
        var buffer = TerminalBuffer()
        /// Why it is being ended by us.
        var end: End?
        /// How its program has ended.
        var exit: ProcessExit?
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private typealias End = TerminalDesk<Visitor.Identity>.End

    private nonisolated let loop: EventLoop
    private let backend: any TerminalBackend
    private let report: @Sendable (DashboardReport) -> Void
    private var desk: TerminalDesk<Visitor.Identity>
    private var terminals: [String: Terminal] = [:]
    private var nextWaiter = 0
    private var timer: (timer: LoopTimer, time: MonotonicTime)?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// What one event has at most.
    private static let eventByteCount = 32 << 10

    init(
        _ backend: any TerminalBackend, limits: TerminalDesk<Visitor.Identity>.Limits,
        loop: EventLoop, report: @escaping @Sendable (DashboardReport) -> Void
    ) {
        self.backend = backend
        self.loop = loop
        self.report = report
        desk = TerminalDesk(limits: limits)
    }

    static let unknown = DashboardRefusal(.notFound, "there is no such terminal")

    // MARK: What its owner does

    /// - Returns: its identifier.
    func open(
        _ instance: InstanceNumber, of application: String, size: TerminalSession.Size,
        for visitor: Visitor
    ) async throws(DashboardRefusal) -> String {
        let id = RandomToken.hexadecimal()
        // Their ends need not be shown any more.
        for ended in desk.ended(of: visitor.identity) { remove(ended) }
        do throws(TerminalDesk<Visitor.Identity>.Refusal) {
            try desk.open(id, for: visitor.identity, at: .now)
        } catch {
            switch error {
            case .tooMany(let limit):
                throw DashboardRefusal(
                    .unavailable, "\(limit) terminals are open already: close one")
            case .tooManyOfOwner(let limit):
                throw DashboardRefusal(
                    .unavailable, "this session has \(limit) terminals already: close one")
            }
        }
        let name = "\(application)-\(instance)"
        terminals[id] = Terminal(instance: name, visitor: visitor)
        do throws(DashboardRefusal) {
            let shell = try await backend.open(instance, of: application, size: size) { event in
                self.assumeIsolated { $0.received(event, from: id) }
            }
            report(.info("A terminal on \(name) was opened by \(visitor.description)"))
            // The session may have ended meanwhile, and the program too.
            terminals[id]?.shell = shell
            if terminals[id]?.end != nil || terminals[id] == nil { shell.kill() }
        } catch {
            remove(id)
            throw error
        }
        look()
        guard terminals[id] != nil else { throw Self.unknown }
        return id
    }

    func write(
        _ bytes: [UInt8], to id: String, for visitor: Visitor
    ) throws(DashboardRefusal) {
        let shell = try shell(id, for: visitor)
        desk.typed(id, at: .now)
        guard shell.write(bytes) else {
            throw DashboardRefusal(
                .unavailable, "the program does not read what was typed: try again")
        }
    }

    func resize(
        _ id: String, _ size: TerminalSession.Size, for visitor: Visitor
    ) throws(DashboardRefusal) {
        try shell(id, for: visitor).resize(size)
    }

    func close(_ id: String, for visitor: Visitor) throws(DashboardRefusal) {
        guard desk.isOpen(id, for: visitor.identity) else { throw Self.unknown }
        end(id, .asked)
    }

    private func shell(
        _ id: String, for visitor: Visitor
    ) throws(DashboardRefusal) -> any OpenedTerminal {
        guard desk.isOpen(id, for: visitor.identity), let terminal = terminals[id] else {
            throw Self.unknown
        }
        guard terminal.exit == nil, terminal.end == nil, let shell = terminal.shell else {
            throw DashboardRefusal(.gone, "the terminal has ended")
        }
        return shell
    }

    /// What the program has written after a place, as soon as there is something, or its end.
    func next(
        of id: String, after place: TerminalPlace?, for visitor: Visitor
    ) async throws(DashboardRefusal) -> TopicNews {
        guard desk.isOpen(id, for: visitor.identity) else { throw Self.unknown }
        if place?.isEnd == true {
            if terminals[id]?.exit != nil { remove(id) }
            throw DashboardRefusal(.gone, "the terminal has ended")
        }
        desk.readerCame(id)
        defer {
            desk.readerWent(id, at: .now)
            look()
        }
        while let terminal = terminals[id] {
            let (bytes, skipped, next) =
                terminals[id]?.buffer.next(after: place?.offset, limit: Self.eventByteCount)
                ?? ([], 0, 0)
            resumeReading(id)
            let isEnd = terminal.exit != nil && next == terminal.buffer.end
            if !bytes.isEmpty || skipped > 0 || isEnd || Task.isCancelled {
                return TopicNews(
                    cursor: TerminalPlace(offset: next, isEnd: isEnd).text,
                    .object([
                        ("data", .binary(Data(bytes).base64EncodedString())),
                        ("skipped", .integer(skipped)),
                        ("ended", isEnd ? .binary(Self.reason(terminal)) : .null),
                    ]))
            }
            await change(of: id, after: next)
        }
        throw DashboardRefusal(.gone, "the terminal has ended")
    }

    private static func reason(_ terminal: Terminal) -> String {
        terminal.end?.rawValue ?? terminal.exit.map { "\($0)" } ?? "it has ended"
    }

    // MARK: Ends

    /// Ends all terminals of somebody.
    func end(of owner: Visitor.Identity) {
        for id in desk.terminals(of: owner) { end(id, .owner) }
    }

    private func end(_ id: String, _ reason: End) {
        guard let terminal = terminals[id], terminal.end == nil else { return }
        terminals[id]?.end = reason
        if terminal.exit != nil { return remove(id) }
        // One that is just being started is ended when it has started.
        terminal.shell?.kill()
    }

    private func received(_ event: TerminalSession.Event, from id: String) {
        guard let terminal = terminals[id] else { return }
        switch event {
        case .output(let bytes):
            terminals[id]?.buffer.append(bytes)
            if terminals[id]?.buffer.isFull == true { terminal.shell?.isReadingPaused = true }
        case .ended(let exit):
            terminals[id]?.exit = exit
            desk.ended(id, at: .now)
            report(
                .info(
                    "A terminal on \(terminal.instance) of \(terminal.visitor.description) has "
                        + "ended: \(terminals[id].map(Self.reason) ?? "")"))
            // Others stay until their end has been shown, or nobody shows them.
            if terminal.end == .owner || terminal.end == .unread { remove(id) }
        }
        for waiter in (terminals[id]?.waiters ?? [:]).keys { wake(id, waiter) }
        if case .ended = event { look() }
    }

    private func remove(_ id: String) {
        let waiters = terminals.removeValue(forKey: id)?.waiters ?? [:]
        desk.closed(id)
        for waiter in waiters.values { waiter.resume() }
    }

    private func resumeReading(_ id: String) {
        guard let terminal = terminals[id], !terminal.buffer.isFull else { return }
        terminal.shell?.isReadingPaused = false
    }

    /// Ends what is due, and looks again when the next one may be.
    private func look() {
        let now = MonotonicTime.now
        for (id, reason) in desk.due(at: now) {
            if terminals[id]?.exit != nil { remove(id) } else { end(id, reason) }
        }
        guard let next = desk.next, next > now else { return }
        if let timer, timer.time <= next, timer.time > now { return }
        timer?.timer.cancel()
        let new = loop.schedule(at: next) { [weak self] in
            self?.assumeIsolated {
                $0.timer = nil
                $0.look()
            }
        }
        timer = (new, next)
    }

    // MARK: Waiting

    private func change(of id: String, after place: Int) async {
        nextWaiter += 1
        let number = nextWaiter
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Something else may have run since the caller has looked.
                guard let terminal = terminals[id], terminal.exit == nil,
                    terminal.buffer.end <= place
                else { return continuation.resume() }
                terminals[id]?.waiters[number] = continuation
            }
        } onCancel: {
            Task { await self.wake(id, number) }
        }
    }

    private func wake(_ id: String, _ number: Int) {
        terminals[id]?.waiters.removeValue(forKey: number)?.resume()
    }
}
