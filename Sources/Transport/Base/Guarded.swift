internal import Synchronization

/// A value that several threads use, one at a time.
///
/// It is a `Mutex` whose order the thread sanitizer can see. The mutex alone does order its
/// holders. But where one thread waits for another it waits in the runtime's library, which is not
/// instrumented. So the sanitizer would report races on the value, and on all that is handed on
/// through it. It sees the two accesses of `order`, which cost next to nothing.
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
