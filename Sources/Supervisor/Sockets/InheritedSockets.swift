package import Transport

/// A listening socket that stays open as long as somebody has this.
package final class ListeningSocketHandle: Sendable {
    private let descriptor: FileDescriptor
    package let address: SocketAddress

    package var raw: Int32 { descriptor.raw }

    /// - Returns: `nil` if it does not listen.
    package init?(_ descriptor: consuming FileDescriptor) {
        guard let address = ListeningDescriptor.address(of: descriptor.raw) else { return nil }
        self.address = address
        self.descriptor = descriptor
    }
}

/// The listening sockets that an instance inherits, as descriptors from 3 on, in the order of the
/// configuration, and the variables that say so.
///
/// Source: sd_listen_fds(3), of which `LISTEN_PID` is set in the instance itself.
package struct InheritedSockets: Sendable {
    private let sockets: [(name: String, handle: ListeningSocketHandle)]

    /// - Parameter sockets: at most as many as ``maximumCount``.
    package init(_ sockets: [(name: String, handle: ListeningSocketHandle)]) {
        precondition(sockets.count <= Self.maximumCount, "The configuration is limited")
        self.sockets = sockets
    }

    package static let maximumCount = 16
    package static let pidVariable = "LISTEN_PID"
    private static let first: Int32 = 3

    package var isEmpty: Bool { sockets.isEmpty }

    package var passed: [PassedDescriptor] {
        zip(sockets, Self.first...).map {
            PassedDescriptor(source: $0.handle.raw, target: $1)
        }
    }

    package var variables: [String: String] {
        var variables = [
            "LISTEN_FDS": "\(sockets.count)",
            "LISTEN_FDNAMES": sockets.map(\.name).joined(separator: ":"),
        ]
        for ((name, _), number) in zip(sockets, Self.first...) {
            variables[InstanceEnvironment.listenPrefix + name.uppercased()] = "\(number)"
        }
        return variables
    }

    /// Gives them to a program that is to be started. Whoever starts it keeps this until then.
    package func give(to program: inout Program) {
        guard !isEmpty else { return }
        program.setting.passed += passed
        program.environment.merge(variables) { $1 }
        program.pidVariable = Self.pidVariable
    }
}

extension ListeningSocketHandle {
    /// Those sockets of a running process that listen at one of these addresses, among the descriptors
    /// that instances inherit. The kernel may forbid it: then there are none.
    package static func take(
        from identity: ProcessIdentity, at wanted: Set<SocketAddress>
    ) -> [ListeningSocketHandle] {
        guard let process = ProcessHandle(identity) else { return [] }
        return (0..<InheritedSockets.maximumCount).compactMap { offset in
            guard let copy = process.copy(ofDescriptor: 3 + Int32(offset)),
                let found = ListeningSocketHandle(copy), wanted.contains(found.address)
            else { return nil }
            return found
        }
    }
}
