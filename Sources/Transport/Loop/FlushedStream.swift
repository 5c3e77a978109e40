/// A stream that hands its bytes to the kernel late: see ``EventLoop/flushBeforeWaiting(_:)``.
protocol FlushedStream: AnyObject {
    /// Hands the kernel what it takes of what is queued.
    func flush()
}
