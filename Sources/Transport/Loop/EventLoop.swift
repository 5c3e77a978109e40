internal import CLinux
internal import Glibc
internal import Synchronization

/// One epoll thread that runs everything: descriptor events, timers, actors that are pinned to it,
/// and tasks that prefer it.
///
/// ```swift
/// let loop = try EventLoop()
/// Task(executorPreference: loop) { await work(); loop.stop() }
/// loop.run()  // blocks the calling thread, which becomes the loop's thread
/// ```
/// An actor pins itself with
/// `nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }`.
/// Callbacks of ``watch(_:for:handler:)`` and ``schedule(after:_:)`` run on the loop's thread,
/// where such an actor may use `assumeIsolated`.
///
/// The invariant behind `@unchecked Sendable`: the inbox is guarded by its lock. Every other
/// mutable property is used on the loop's thread only, or before `run()` by the thread that made
/// the loop.
public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    private struct Inbox {
        var jobs: [UnownedJob] = []
        var isWoken = false
        var isStopped = false
        /// What is done once the loop has stopped.
        var endings: [@Sendable () -> Void] = []
    }

    private struct Watch {
        var descriptor: Int32
        var handler: (Readiness) -> Void
    }

    private let epoll: FileDescriptor
    private let wakeUp: FileDescriptor
    private let inbox = Guarded(Inbox())
    /// The loop's thread once `run()` has been entered. Written once, before any job runs.
    private let thread = Atomic<UInt>(0)

    /// Jobs enqueued by the loop's own thread need no lock and no wake-up.
    private var localJobs: [UnownedJob] = []
    private var watches: [UInt64: Watch] = [:]
    private var nextWatch: UInt64 = 1
    private var timers = TimerQueue()
    private var isStopping = false
    /// Counts the rounds of ``run()``. In each round every ready descriptor gets its turn.
    package private(set) var turn: UInt64 = 0
    /// How long they have taken, without what was waited.
    package private(set) var turnTimes = TurnTimes()
    /// What streams report about their reads and writes.
    var inflow = Inflow()
    /// Streams with bytes to hand to the kernel before the loop waits.
    private var unflushed: [any FlushedStream] = []

    /// One buffer for all reads on this loop: what is read is handed on before the next read.
    ///
    /// With a larger buffer large messages took longer: their sender waits for room, and the copy
    /// that is made next finds less of the message in the processor's cache.
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)

    /// Whether the contents of ``readBuffer`` are being handed on: no stream may read meanwhile.
    var isHandingOn = false

    /// One buffer for what TLS streams decrypt, which is also handed on before the next read. It
    /// holds as much as a full ``readBuffer``, and the record that was incomplete before it (RFC
    /// 8446, section 5.2).
    private(set) lazy var plaintextBuffer: UnsafeMutableRawBufferPointer = {
        hasPlaintextBuffer = true
        return .allocate(byteCount: readBuffer.count + (17 << 10), alignment: 64)
    }()
    private var hasPlaintextBuffer = false

    public init() throws(SystemError) {
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .last("creating an epoll instance") }
        self.epoll = FileDescriptor(owning: epoll)
        let wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard wakeUp >= 0 else { throw .last("creating an eventfd") }
        self.wakeUp = FileDescriptor(owning: wakeUp)
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: 0))
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, wakeUp, &event) == 0 else {
            throw .last("watching an eventfd")
        }
    }

    deinit {
        readBuffer.deallocate()
        if hasPlaintextBuffer { plaintextBuffer.deallocate() }
    }

    // MARK: Running

    /// Runs until ``stop()``. The calling thread is the loop's thread from here on. A loop runs
    /// once.
    public func run() {
        let (wasFree, _) = thread.compareExchange(
            expected: 0, desired: UInt(pthread_self()), ordering: .sequentiallyConsistent)
        precondition(wasFree, "An event loop runs once")
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        var begin = MonotonicTime.now
        while !isStopping {
            turn &+= 1
            runJobs()
            for timer in timers.takeDue(now: .now) { timer.fire() }
            flushStreams()
            // Another thread's stop has woken the loop already, and does not do so again.
            if isStopping { break }
            // What has just fired may have enqueued jobs: then check for events without waiting.
            let end = MonotonicTime.now
            let timeout = localJobs.isEmpty ? timers.timeoutMilliseconds(now: end) : 0
            turnTimes.add(end - begin)
            let count = wait(for: &events, timeout)
            begin = .now
            if count < 0 {
                precondition(clinux_errno() == EINTR, "epoll_wait failed")
                continue
            }
            for event in events.prefix(Int(count)) {
                if event.data.u64 == 0 {
                    drainWakeUp()
                } else if let watch = watches[event.data.u64] {
                    watch.handler(Readiness(rawValue: event.events))
                    // A response on the wire should not wait behind other descriptors' events.
                    runJobs()
                    flushStreams()
                }
            }
        }
        // Whoever waits for something of this loop would wait for ever.
        let endings = inbox.withLock { $0.endings }
        for ending in endings { ending() }
        // Those who are told go on in several steps.
        for _ in 0..<8 { runJobs() }
    }

    /// Calls `body` on the loop's thread when the loop has been stopped, before ``run()`` returns.
    /// It is for those who must tell others that nothing will come any more. May be called from any
    /// thread.
    package func whenStopped(_ body: @escaping @Sendable () -> Void) {
        inbox.withLock { $0.endings.append(body) }
    }

    /// A handshake's next answer is expected: the loop polls for a moment before it waits. Call it
    /// on the loop's thread.
    package func expectAnswer() {
        inflow.expectAnswer()
    }

    /// Waits for events, for at most `timeout` milliseconds; -1 waits for ever.
    private func wait(for events: inout [epoll_event], _ timeout: Int32) -> Int32 {
        func look(_ timeout: Int32) -> Int32 {
            epoll_wait(epoll.raw, &events, Int32(events.count), timeout)
        }
        guard timeout != 0 else { return look(0) }
        switch inflow.next(now: .now) {
        case .block: break
        case .look(let end):
            repeat {
                let count = look(0)
                if count != 0 { return count }
                // The sender may need this processor.
                sched_yield()
            } while MonotonicTime.now < end
        case .gather(let end):
            repeat { sched_yield() } while MonotonicTime.now < end
        }
        return look(timeout)
    }

    /// A loop on a thread of its own, for tests and for programs whose main thread does other work.
    public static func onOwnThread() throws(SystemError) -> EventLoop {
        let loop = try EventLoop()
        let opaque = Unmanaged.passRetained(loop).toOpaque()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { opaque in
                if let opaque { Unmanaged<EventLoop>.fromOpaque(opaque).takeRetainedValue().run() }
                return nil
            }, opaque)
        guard code == 0 else {
            Unmanaged<EventLoop>.fromOpaque(opaque).release()
            throw SystemError("starting the event loop's thread", code: code)
        }
        return loop
    }

    /// Ends ``run()`` after the job or callback that runs now. Nothing runs on the loop after that.
    /// May be called from any thread.
    public func stop() {
        post { $0.isStopped = true }
        if isCurrent { isStopping = true }
    }

    /// Whether the calling thread is the loop's thread.
    public var isCurrent: Bool {
        thread.load(ordering: .relaxed) == UInt(pthread_self())
    }

    // MARK: Executor

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            localJobs.append(job)
            return
        }
        post { $0.jobs.append(job) }
    }

    /// Changes the inbox, and wakes the loop unless another thread has done so.
    private func post(_ change: (inout Inbox) -> Void) {
        let mustWake = inbox.withLock { inbox in
            change(&inbox)
            defer { inbox.isWoken = true }
            return !inbox.isWoken
        }
        if mustWake { wake() }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    public func asUnownedTaskExecutor() -> UnownedTaskExecutor {
        UnownedTaskExecutor(ordinary: self)
    }

    public func checkIsolated() {
        precondition(isCurrent, "Not on the event loop's thread")
    }

    public func isIsolatingCurrentContext() -> Bool? {
        isCurrent
    }

    /// Runs `body` on the loop's thread, soon. May be called from any thread.
    public func execute(_ body: @escaping @Sendable () -> Void) {
        Task(executorPreference: self) { body() }
    }

    private func runJobs() {
        inbox.withLock { inbox in
            inbox.isWoken = false
            isStopping = isStopping || inbox.isStopped
            if !inbox.jobs.isEmpty {
                localJobs.append(contentsOf: inbox.jobs)
                inbox.jobs.removeAll(keepingCapacity: true)
            }
        }
        // Runs only the jobs that are here now: a job that always enqueues another must not starve
        // the descriptors.
        var rounds = 0
        while !localJobs.isEmpty, rounds < 8 {
            rounds += 1
            var jobs: [UnownedJob] = []
            swap(&jobs, &localJobs)
            for job in jobs {
                job.runSynchronously(
                    isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
            }
        }
    }

    /// Registers a stream whose bytes leave before the loop waits. So all messages of one round of
    /// jobs leave in one system call.
    func flushBeforeWaiting(_ stream: any FlushedStream) {
        unflushed.append(stream)
    }

    private func flushStreams() {
        while !unflushed.isEmpty {
            var streams: [any FlushedStream] = []
            swap(&streams, &unflushed)
            for stream in streams { stream.flush() }
        }
    }

    private func wake() {
        var one: UInt64 = 1
        // EAGAIN means that the counter is full, so the loop is awake already.
        _ = write(wakeUp.raw, &one, 8)
    }

    private func drainWakeUp() {
        var value: UInt64 = 0
        _ = read(wakeUp.raw, &value, 8)
    }

    // MARK: Descriptors (on the loop's thread)

    /// The events that a descriptor has, or that it is watched for. Source: epoll_ctl(2).
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static let readable = Readiness(rawValue: EPOLLIN.rawValue)
        package static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
        package static let hangup = Readiness(rawValue: EPOLLHUP.rawValue)
        package static let error = Readiness(rawValue: EPOLLERR.rawValue)
        /// Reports each change once, instead of as long as the state lasts. It is for a hang-up,
        /// which cannot be masked.
        package static let onceForEach = Readiness(rawValue: EPOLLET.rawValue)
    }

    /// Names a watched descriptor. A token is never reused, so a late event cannot reach a newer
    /// watch.
    package struct WatchToken: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// Calls `handler` whenever `descriptor` is ready (level-triggered), until ``unwatch(_:)``.
    /// Call that before the descriptor is closed.
    package func watch(
        _ descriptor: Int32, for interest: Readiness, handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> WatchToken {
        preconditionOnLoop()
        let number = nextWatch
        nextWatch += 1
        var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: number))
        guard epoll_ctl(epoll.raw, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
            throw .last("watching a descriptor")
        }
        watches[number] = Watch(descriptor: descriptor, handler: handler)
        return WatchToken(number: number)
    }

    /// Changes what a descriptor is watched for.
    package func update(_ token: WatchToken, for interest: Readiness) {
        preconditionOnLoop()
        guard let watch = watches[token.number] else {
            preconditionFailure("The descriptor is not watched")
        }
        var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token.number))
        let result = epoll_ctl(epoll.raw, EPOLL_CTL_MOD, watch.descriptor, &event)
        precondition(result == 0, "A watched descriptor was closed before unwatch(_:)")
    }

    /// Stops watching. The handler is not called again, not even for an event already collected.
    package func unwatch(_ token: WatchToken) {
        preconditionOnLoop()
        guard let watch = watches.removeValue(forKey: token.number) else { return }
        var event = epoll_event()
        let result = epoll_ctl(epoll.raw, EPOLL_CTL_DEL, watch.descriptor, &event)
        precondition(result == 0, "A watched descriptor was closed before unwatch(_:)")
    }

    // MARK: Timers (on the loop's thread)

    /// Calls `body` once, `delay` from now, unless the timer is cancelled before. Precision: 1 ms.
    @discardableResult
    public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> LoopTimer {
        schedule(at: .now + delay, body)
    }

    /// Calls `body` once at `time`, unless the timer is cancelled before. Precision: 1 ms.
    @discardableResult
    public func schedule(at time: MonotonicTime, _ body: @escaping () -> Void) -> LoopTimer {
        preconditionOnLoop()
        let timer = LoopTimer(body)
        timers.insert(timer, at: time)
        return timer
    }

    /// Suspends the calling task for `duration`; returns early when the task is cancelled.
    public func sleep(for duration: Duration) async {
        let timer = SleepTimer(loop: self)
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                execute { timer.start(duration, continuation) }
            }
        } onCancel: {
            execute { timer.finish() }
        }
    }

    func preconditionOnLoop() {
        precondition(
            isCurrent || thread.load(ordering: .relaxed) == 0, "Not on the event loop's thread")
    }
}

/// The timer behind ``EventLoop/sleep(for:)``. Confined to the loop's thread.
private final class SleepTimer: @unchecked Sendable {
    private let loop: EventLoop
    private var continuation: CheckedContinuation<Void, Never>?
    private var timer: LoopTimer?
    private var isFinished = false

    init(loop: EventLoop) {
        self.loop = loop
    }

    func start(_ duration: Duration, _ continuation: CheckedContinuation<Void, Never>) {
        guard !isFinished else { return continuation.resume() }
        self.continuation = continuation
        timer = loop.schedule(after: duration) { self.finish() }
    }

    func finish() {
        isFinished = true
        timer?.cancel()
        timer = nil
        continuation?.resume()
        continuation = nil
    }
}
