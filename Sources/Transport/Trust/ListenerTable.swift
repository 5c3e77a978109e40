internal import CLinux
internal import Glibc

/// The sockets of this host that could take a connection to an address, as the kernel reports them.
/// Asking blocks for some microseconds.
///
/// Only sockets that listen at that address count. At other addresses of the same port anybody may
/// listen, with as many sockets as there are descriptors.
struct ListenerTable: Equatable {
    /// More sockets at one address than any expected listener opens.
    static let limit = 4096

    var entries: [SocketTableEntry]
    /// Whether ``entries`` contains all of these sockets.
    var isWhole: Bool

    /// Asks the kernel. If it does not answer, this reads the kernel's tables, which takes
    /// milliseconds on a host with many connections. It does not answer a service that may not open
    /// `AF_NETLINK` sockets.
    static func taking(
        connectionsTo address: SocketAddress, limit: Int = limit
    ) throws(SystemError) -> ListenerTable {
        do throws(SystemError) {
            return try asked(address, limit)
        } catch {
            return try read(address, limit)
        }
    }

    /// Asks one question after the other: IPv6's wildcard listeners matter to an IPv4 address only
    /// when no other listener takes it.
    static func asked(_ address: SocketAddress, _ limit: Int) throws(SystemError) -> ListenerTable {
        var table = ListenerTable(entries: [], isWhole: true)
        for question in Question.all(address) where table.entries.isEmpty {
            for (family, addresses) in question.addresses {
                let answer = try asked(family, address.port, addresses, limit)
                table.entries += answer.entries
                table.isWhole = table.isWhole && answer.isWhole
            }
        }
        return table
    }

    private static func asked(
        _ family: Int32, _ port: UInt16, _ wanted: [[UInt8]], _ limit: Int
    ) throws(SystemError) -> ListenerTable {
        var found = [clinux_socket](repeating: clinux_socket(), count: limit)
        let octets = wanted.flatMap { $0 + [UInt8](repeating: 0, count: 16 - $0.count) }
        let count = octets.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: Octets.self) { wanted in
                clinux_listeners(
                    family, port, wanted.baseAddress, wanted.count, &found, Int32(limit))
            }
        }
        guard count >= 0 else { throw .last("looking up who listens on port \(port)") }
        let entries = found.prefix(Int(count)).map { listener in
            let octets = withUnsafeBytes(of: listener.address) { bytes in
                Array(bytes.prefix(family == AF_INET ? 4 : 16))
            }
            return SocketTableEntry(
                local: SocketAddress(octets: octets, port: port), remote: .any(port: 0),
                state: .listening, user: listener.user, inode: UInt64(listener.inode))
        }
        return ListenerTable(entries: entries, isWhole: count <= limit)
    }

    static func read(_ address: SocketAddress, _ limit: Int) throws(SystemError) -> ListenerTable {
        var table = ListenerTable(entries: [], isWhole: true)
        for question in Question.all(address) where table.entries.isEmpty {
            let wanted = question.addresses.flatMap(\.octets)
            table.isWhole = try SocketTableFile.listening { entry in
                guard entry.local.port == address.port, wanted.contains(entry.local.octets) else {
                    return true
                }
                guard table.entries.count < limit else { return false }
                table.entries.append(entry)
                return true
            }
        }
        return table
    }

    private typealias Octets = (
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8,
        UInt8, UInt8, UInt8
    )

    /// The addresses at which somebody may listen, for each address family of the kernel.
    private struct Question {
        var addresses: [(family: Int32, octets: [[UInt8]])]

        /// The questions for an address. Each is asked only if the one before found nobody. See
        /// ``ListeningSocket/taking(_:among:)`` for why.
        static func all(_ address: SocketAddress) -> [Question] {
            let wanted = address.destination
            let everywhere = SocketAddress.any(port: 0).octets
            let six = [UInt8](repeating: 0, count: 16)
            guard wanted.octets.count == 4 else {
                return [Question(addresses: [(AF_INET6, [wanted.octets, six])])]
            }
            let four = [wanted.octets, everywhere]
            return [
                Question(addresses: [
                    (AF_INET, four), (AF_INET6, four.map { SocketAddress.mappedPrefix + $0 }),
                ]),
                Question(addresses: [(AF_INET6, [six])]),
            ]
        }
    }
}
