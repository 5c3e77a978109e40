internal import CLinux
internal import Glibc
internal import Transport

/// A process held by a pidfd: a signal sent through it reaches this process or nobody.
///
/// An open pidfd never refers to another process, but its pid may have been reused before it was
/// opened. So the process is identified again after it has been opened.
final class ProcessHandle: Sendable {
    let identity: ProcessIdentity
    private let descriptor: FileDescriptor

    /// The descriptor, for watching and waiting.
    var raw: Int32 { descriptor.raw }

    /// Opens the process with exactly this identity. The result is `nil` when the process has ended
    /// and been reaped, or when another process has its pid. A zombie is opened.
    init?(_ identity: ProcessIdentity) {
        guard identity.bootID == ProcessIdentity.currentBootID, identity.pid > 0 else { return nil }
        let raw = clinux_pidfd_open(identity.pid)
        guard raw >= 0 else { return nil }
        let descriptor = FileDescriptor(owning: raw)
        // A process with this start time already had the pid when it was opened just before: the
        // identity was read even earlier.
        guard
            let status = ProcessStatus.ofProcess(identity.pid),
            status.startTicks == identity.startTicks
        else { return nil }
        self.identity = identity
        self.descriptor = descriptor
    }

    /// Opens a child of ours that has not been reaped, so its pid cannot have been reused.
    init(child pid: Int32) throws(SystemError) {
        let raw = clinux_pidfd_open(pid)
        guard raw >= 0 else { throw .last("opening process \(pid)") }
        let descriptor = FileDescriptor(owning: raw)
        guard let status = ProcessStatus.ofProcess(pid) else {
            throw SystemError("identifying process \(pid)", code: ESRCH)
        }
        identity = ProcessIdentity(status)
        self.descriptor = descriptor
    }

    /// Whether the process has ended; it may still be a zombie. Source: pidfd_open(2), poll.
    var hasExited: Bool {
        var poll = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) > 0
    }

    /// Sends a signal. Returns whether the process was still there to get it.
    @discardableResult
    func send(_ signal: Int32) -> Bool {
        clinux_pidfd_send_signal(raw, signal) == 0
    }

    /// A copy of one of its descriptors; `nil` if it has none of that number, or we may not.
    func copy(ofDescriptor number: Int32) -> FileDescriptor? {
        let raw = clinux_pidfd_getfd(self.raw, number)
        return raw >= 0 ? FileDescriptor(owning: raw) : nil
    }

    /// Ends this child of ours and waits for that.
    func killAndReap() {
        send(SIGKILL)
        while waitpid(identity.pid, nil, 0) < 0, clinux_errno() == EINTR {}
        OwnChildren.forget(identity.pid)
    }

    /// How this child of ours ended, or `nil` while it runs. With `reaping`, its pid becomes free.
    func exitStatus(reaping: Bool) -> ProcessExit? {
        var status: Int32 = 0
        var signalled: Int32 = 0
        let result = clinux_exit_status(raw, reaping ? 1 : 0, &status, &signalled)
        // If someone else has reaped the child (ECHILD), it has ended, and nobody knows how.
        if result < 0 { return clinux_errno() == ECHILD ? .unknown : nil }
        guard result == 1 else { return nil }
        if reaping { OwnChildren.forget(identity.pid) }
        return signalled != 0 ? .signal(status) : .code(status)
    }
}
