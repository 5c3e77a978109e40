internal import CLinux
internal import Glibc
package import Transport

/// What went wrong with the holder of the sockets.
package enum HolderError: Error, Equatable, Sendable, CustomStringConvertible {
    case system(SystemError)
    case refused(HolderRefusal)
    /// It is another user's process.
    case stranger(user: UInt32)
    case badReply
    case ended

    package var description: String {
        switch self {
        case .system(let error): "\(error)"
        case .refused(let refusal): "\(refusal)"
        case .stranger(let user): "another user, \(user), answers in the place of the holder"
        case .badReply: "the holder of the sockets answers with what is no reply"
        case .ended: "the holder of the sockets has ended"
        }
    }
}

/// A connection to the holder of the sockets. Everything blocks, for five seconds at most.
package final class HolderClient: Sendable {
    private let descriptor: FileDescriptor
    private let watched = Guarded<(loop: EventLoop, token: EventLoop.WatchToken)?>(nil)
    /// One exchange at a time.
    private let turn = Guarded(())

    private init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    /// Connects to the holder of a base folder.
    /// - Parameter users: who may have started it.
    /// - Returns: `nil` if there is none.
    package static func connect(
        in folder: borrowing FileDescriptor, users: TrustedUsers
    ) throws(HolderError) -> HolderClient? {
        let found: FileDescriptor?
        do throws(SystemError) {
            found = try LocalSocket.connect(in: folder, within: .seconds(5))
        } catch {
            throw .system(error)
        }
        guard let found else { return nil }
        let user: UInt32
        do throws(SystemError) {
            user = try LocalSocket.peer(of: found.raw)
        } catch {
            throw .system(error)
        }
        guard users.contains(user) else { throw .stranger(user: user) }
        return HolderClient(found)
    }

    /// The sockets that it keeps.
    package func sockets() throws(HolderError) -> [HeldSocketName: ListeningSocketHandle] {
        var found: [HeldSocketName: ListeningSocketHandle] = [:]
        for place in 0..<UInt16(HolderMachine.maximumCount) {
            let (reply, socket) = try ask(.item(place), nil)
            switch reply {
            case .noItem: return found
            case .item(let name):
                guard let socket else { throw .badReply }
                found[name] = socket
            case .done: throw .badReply
            case .refused(let refusal): throw .refused(refusal)
            }
        }
        return found
    }

    package func keep(
        _ name: HeldSocketName, _ socket: ListeningSocketHandle
    ) throws(HolderError) {
        try order(.keep(name), socket)
    }

    package func drop(_ name: HeldSocketName) throws(HolderError) {
        try order(.drop(name), nil)
    }

    /// Lets it close everything and end. Its sockets are closed when this returns.
    package func end() throws(HolderError) {
        try order(.end, nil)
    }

    /// Calls `onEnd` once the holder has hung up, or has ended. Called on the loop's thread.
    package func watchEnd(
        on loop: EventLoop, _ onEnd: @escaping () -> Void
    ) throws(SystemError) {
        // Not for reading: an answer that comes is another thread's.
        let token = try loop.watch(descriptor.raw, for: []) { [weak self] _ in
            self?.unwatch()
            onEnd()
        }
        watched.withLock { $0 = (loop, token) }
    }

    /// Called on the loop's thread.
    package func unwatch() {
        guard let (loop, token) = watched.withLock({ $0.take() }) else { return }
        loop.unwatch(token)
    }

    private func order(
        _ request: HolderRequest, _ socket: ListeningSocketHandle?
    ) throws(HolderError) {
        switch try ask(request, socket).reply {
        case .done: return
        case .refused(let refusal): throw .refused(refusal)
        case .item, .noItem: throw .badReply
        }
    }

    private func ask(
        _ request: HolderRequest, _ socket: ListeningSocketHandle?
    ) throws(HolderError) -> (reply: HolderReply, socket: ListeningSocketHandle?) {
        let answer = turn.withLock { _ in
            Self.exchange(request.bytes, socket, on: descriptor.raw)
        }
        return try answer.get()
    }

    private static func exchange(
        _ bytes: [UInt8], _ socket: ListeningSocketHandle?, on raw: Int32
    ) -> Result<(reply: HolderReply, socket: ListeningSocketHandle?), HolderError> {
        let attempt = "asking the holder of the sockets"
        guard clinux_send_descriptor(raw, bytes, bytes.count, socket?.raw ?? -1) == bytes.count
        else {
            let code = clinux_errno()
            let isGone = code == EPIPE || code == ECONNRESET
            return .failure(isGone ? .ended : .system(SystemError(attempt, code: code)))
        }
        var answer = [UInt8](repeating: 0, count: HolderPacket.maximumByteCount)
        var passed: Int32 = -1
        let count = clinux_receive_descriptor(raw, &answer, answer.count, &passed)
        guard count > 0 else {
            let code = clinux_errno()
            if count == 0 || code == ECONNRESET { return .failure(.ended) }
            // A later answer must not be taken for the next one's.
            shutdown(raw, Int32(SHUT_RDWR))
            return .failure(.system(SystemError(attempt, code: code == EAGAIN ? ETIMEDOUT : code)))
        }
        let received = passed >= 0 ? ListeningSocketHandle(FileDescriptor(owning: passed)) : nil
        guard let reply = HolderReply(Array(answer[..<count])) else { return .failure(.badReply) }
        return .success((reply, received))
    }
}
