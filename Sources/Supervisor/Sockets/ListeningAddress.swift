package import Transport

/// An address on which deployex listens for the instances of an application.
package struct ListeningAddress: Equatable, Sendable {
    package enum Mode: String, Equatable, Sendable, CaseIterable {
        /// All instances accept from one socket.
        case shared
        /// Instance I has a socket of its own, at the address's port + I - 1.
        case own
    }

    /// What the application calls it: a lower-case letter, then lower-case letters, digits and `_`.
    package var name: String
    package var address: SocketAddress
    package var mode: Mode
    package var backlog: Int

    package static let maximumNameLength = 32

    package init(
        name: String, address: SocketAddress, mode: Mode = .shared,
        backlog: Int = ListeningDescriptor.usualBacklog
    ) {
        self.name = name
        self.address = address
        self.mode = mode
        self.backlog = backlog
    }

    package static func isName(_ text: some StringProtocol) -> Bool {
        guard 1...maximumNameLength ~= text.utf8.count, let first = text.utf8.first,
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= first
        else { return false }
        return text.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "_")
        }
    }

    /// The ports that so many instances take.
    package func ports(replicas: Int) -> ClosedRange<Int> {
        let first = Int(address.port)
        return first...(mode == .own ? first + replicas - 1 : first)
    }

    /// The address of the socket that an instance gets.
    package func address(of number: InstanceNumber) -> SocketAddress {
        guard mode == .own else { return address }
        var address = address
        address.port = UInt16(clamping: Int(address.port) + number.offset)
        return address
    }

    /// The socket that an instance gets.
    package func socket(of number: InstanceNumber, application: String) -> HeldSocketName {
        HeldSocketName(
            application: application, listener: name, number: mode == .own ? number : nil)
    }

    /// Whether the sockets of the two could not exist at the same time.
    package func overlaps(_ other: ListeningAddress, replicas: Int, otherReplicas: Int) -> Bool {
        guard ports(replicas: replicas).overlaps(other.ports(replicas: otherReplicas)) else {
            return false
        }
        let (here, there) = (address, other.address)
        return here.host == there.host || here.takesAll(of: there) || there.takesAll(of: here)
    }
}

extension SocketAddress {
    /// Whether it stands for all addresses of the host, `other` among them. IPv6's also takes IPv4's.
    fileprivate func takesAll(of other: SocketAddress) -> Bool {
        if self == .anyOfIPv6(port: port) { return true }
        return self == .any(port: port) && other.isOfIPv4
    }
}
