/// A stream that hands its bytes to the kernel late: see ``EventLoop/flushBeforeWaiting(_:)``.
protocol FlushedStream: AnyObject {
    /// Hands the kernel as much of the queue as it takes.
    func flush()
}
