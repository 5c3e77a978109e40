internal import CLinux
internal import Glibc
internal import Transport

/// `deployex hold`: keeps listening sockets for the deployex that works in a base folder, so that they
/// outlive it. It does nothing else: it accepts no connection, reads no file, and starts nothing.
///
/// It ends when it is asked to, or when nobody can reach it any more: nobody is connected, and its name in
/// the base folder is gone or another one's. It is the only thing in its process, and blocks.
package struct HolderServer: ~Copyable {
    private let listener: FileDescriptor
    private let folder: FileDescriptor
    private let own: Place?
    private var machine = HolderMachine()
    private var held: [HeldSocketName: ListeningSocketHandle] = [:]
    private var clients: [Int32] = []
    private var hasEnded = false

    /// The descriptors that it is started with: the local socket, bound, and the base folder.
    package static let listenerNumber: Int32 = 3
    package static let folderNumber: Int32 = 4
    /// deployex, and a command that stops everything.
    private static let maximumClientCount = 8
    /// How often it looks whether it can still be reached.
    private static let lookMilliseconds: Int32 = 10_000

    /// Takes two descriptors, which nothing else uses from now on; `nil` if they are not what deployex
    /// passes.
    package init?(
        listener: Int32 = Self.listenerNumber, folder: Int32 = Self.folderNumber
    ) {
        var domain: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(listener, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0,
            domain == AF_UNIX, fcntl(folder, F_GETFD) >= 0,
            // Only now: who connects learns by this call whose process it is.
            listen(listener, 8) == 0, fcntl(listener, F_SETFL, O_NONBLOCK) == 0
        else { return nil }
        self.listener = FileDescriptor(owning: listener)
        self.folder = FileDescriptor(owning: folder)
        own = Place.find(in: folder)
    }

    package consuming func run() {
        while !hasEnded {
            var watched = ([listener.raw] + clients).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            let timeout = clients.isEmpty ? Self.lookMilliseconds : -1
            let count = poll(&watched, nfds_t(watched.count), timeout)
            if count < 0, clinux_errno() == EINTR { continue }
            guard count >= 0 else { break }
            for entry in watched.dropFirst() where entry.revents != 0 && !hasEnded {
                if !serve(entry.fd) { hangUp(entry.fd) }
            }
            if watched[0].revents != 0 { accept() }
            if clients.isEmpty, !isReachable { break }
        }
    }

    /// Whether its name is still its own.
    private var isReachable: Bool { own != nil && Place.find(in: folder.raw) == own }

    private mutating func accept() {
        let raw = clinux_accept(listener.raw)
        guard raw >= 0 else { return }
        // A client that nothing can be known of is nobody's.
        guard clients.count < Self.maximumClientCount, let user = try? LocalSocket.peer(of: raw),
            user == geteuid() || user == 0
        else {
            close(raw)
            return
        }
        clients.append(raw)
    }

    private mutating func hangUp(_ client: Int32) {
        clients.removeAll { $0 == client }
        close(client)
    }

    /// Answers one packet.
    /// - Returns: whether the client is still there.
    private mutating func serve(_ client: Int32) -> Bool {
        var bytes = [UInt8](repeating: 0, count: HolderPacket.maximumByteCount)
        var passed: Int32 = -1
        let count = clinux_receive_descriptor(client, &bytes, bytes.count, &passed)
        if count < 0, clinux_errno() == EAGAIN { return true }
        // A packet that is too long is no message of ours.
        guard count > 0 else { return false }
        let socket = passed >= 0 ? ListeningSocketHandle(FileDescriptor(owning: passed)) : nil
        let received: HolderMachine.Received =
            socket != nil ? .listeningSocket : passed >= 0 ? .other : .nothing
        var isThere = true
        for action in machine.received(Array(bytes[..<count]), with: received) {
            switch action {
            case .keepReceived(let name): held[name] = socket
            // It is closed with the last reference.
            case .closeReceived: break
            case .close(let name): held[name] = nil
            case .reply(let reply): isThere = Self.send(reply.bytes, nil, to: client)
            case .send(let name):
                isThere = Self.send(HolderReply.item(name).bytes, held[name], to: client)
            case .end:
                hasEnded = true
                // So that the port is free when the answer comes.
                held = [:]
                unlinkat(folder.raw, LocalSocket.name, 0)
                isThere = Self.send(HolderReply.done.bytes, nil, to: client)
            }
        }
        return isThere
    }

    /// - Returns: whether it was sent. Nobody waits for a client that reads nothing.
    private static func send(
        _ bytes: [UInt8], _ socket: ListeningSocketHandle?, to client: Int32
    ) -> Bool {
        let count = clinux_send_descriptor(client, bytes, bytes.count, socket?.raw ?? -1)
        return withExtendedLifetime(socket) { count == bytes.count }
    }

    /// A file, whatever its name.
    private struct Place: Equatable {
        var device: UInt
        var file: UInt

        static func find(in folder: Int32) -> Place? {
            var status = stat()
            guard fstatat(folder, LocalSocket.name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                return nil
            }
            return Place(device: UInt(status.st_dev), file: UInt(status.st_ino))
        }
    }
}
