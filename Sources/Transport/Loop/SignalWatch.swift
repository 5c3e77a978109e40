internal import CLinux
internal import Glibc

/// Turns signals into callbacks on an event loop.
///
/// The invariant behind `@unchecked Sendable`: everything is used on the loop's thread only.
package final class SignalWatch: @unchecked Sendable {
    private let loop: EventLoop
    private let descriptor: FileDescriptor
    private var token: EventLoop.WatchToken?

    /// Blocks `signals`, so that they neither end nor interrupt the process. Call it on the main
    /// thread before there are other threads, which inherit this. Source: signalfd(2).
    package static func block(_ signals: [Int32]) {
        var set = set(of: signals)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Calls `handler` for each of `signals`, which must be blocked already.
    package init(
        _ signals: [Int32], on loop: EventLoop, handler: @escaping (Int32) -> Void
    ) throws(SystemError) {
        var set = Self.set(of: signals)
        let raw = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard raw >= 0 else { throw .last("watching signals") }
        descriptor = FileDescriptor(owning: raw)
        self.loop = loop
        token = try loop.watch(raw, for: .readable) { _ in
            var info = signalfd_siginfo()
            let size = MemoryLayout<signalfd_siginfo>.size
            while read(raw, &info, size) == size { handler(Int32(info.ssi_signo)) }
        }
    }

    /// Ends the callbacks; the signals stay blocked.
    package func close() {
        if let token { loop.unwatch(token) }
        token = nil
    }

    private static func set(of signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
