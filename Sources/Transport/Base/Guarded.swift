internal import Synchronization

/// A value that several threads use, one at a time.
///
/// It is a `Mutex` whose order the thread sanitizer can see. The mutex alone orders what its
/// holders do; but where one waits for another it does so in the runtime's library, which is not
/// instrumented: the value, and all that is handed on through it, would be taken for races. The two
/// accesses of `order` are seen, and cost next to nothing.
package struct Guarded<Value: Sendable>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let order = Atomic<UInt8>(0)

    package init(_ value: Value) {
        mutex = Mutex(value)
    }

    /// Runs `body`, which is short and does not wait, while nobody else has the value.
    package func withLock<Result, Failure>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try mutex.withLock { value throws(Failure) in
            _ = order.load(ordering: .acquiring)
            defer { order.store(0, ordering: .releasing) }
            return try body(&value)
        }
    }
}
