/// A line of the kernel's table of TCP sockets.
///
/// Source: proc_net_tcp in the kernel's documentation; `tcp4_seq_show` and `tcp6_seq_show`, which
/// write the addresses as words in the processor's order of bytes, and the ports as numbers.
package struct SocketTableEntry: Equatable, Sendable {
    package enum State: UInt8, Sendable {
        case established = 1
        case listening = 10
    }

    package var local: SocketAddress
    package var remote: SocketAddress
    /// `nil` for a state that does not matter here.
    package var state: State?
    /// The user who made the socket. It proves something only if there is an ``inode``: sockets
    /// that nobody has accepted yet, or that nobody holds any more, show user 0.
    package var user: UInt32
    /// The socket's number in `/proc/PID/fd`; 0 for none.
    package var inode: UInt64
}

extension SocketTableEntry {
    /// Reads a line; `nil` for the header and anything else that is not such a line.
    package init?(line: some Collection<UInt8>) {
        // The longest lines have some 200 bytes.
        guard line.count <= 512 else { return nil }
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 32)
        guard fields.count >= 10, let local = Self.address(fields[1]),
            let remote = Self.address(fields[2]),
            let state = Self.number(fields[3], radix: 16, as: UInt8.self),
            let user = Self.number(fields[7], as: UInt32.self),
            let inode = Self.number(fields[9], as: UInt64.self)
        else { return nil }
        self.init(
            local: local, remote: remote, state: State(rawValue: state), user: user, inode: inode)
    }

    /// Reads `0100007F:1111`, or 32 digits and a port for IPv6.
    private static func address(_ text: some Collection<UInt8>) -> SocketAddress? {
        let parts = text.split(
            separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 8 || parts[0].count == 32, parts[1].count == 4,
            let port = number(parts[1], radix: 16, as: UInt16.self)
        else { return nil }
        var octets: [UInt8] = []
        var rest = parts[0]
        while !rest.isEmpty {
            guard let word = number(rest.prefix(8), radix: 16, as: UInt32.self) else { return nil }
            withUnsafeBytes(of: word) { octets += $0 }
            rest = rest.dropFirst(8)
        }
        return SocketAddress(octets: octets, port: port)
    }

    /// Only digits are accepted: elsewhere `UInt32("+1")` is a number.
    private static func number<Number: FixedWidthInteger>(
        _ text: some Collection<UInt8>, radix: Int = 10, as: Number.Type
    ) -> Number? {
        guard !text.isEmpty, text.first != UInt8(ascii: "+"), text.first != UInt8(ascii: "-") else {
            return nil
        }
        return Number(String(decoding: text, as: UTF8.self), radix: radix)
    }
}
