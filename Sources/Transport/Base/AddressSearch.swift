/// The addresses to try when looking for something on a host, one after the other.
///
/// ```swift
/// var search = AddressSearch(host: "server", port: 4369)
/// while let address = try await search.next() { … }
/// ```
/// For this host loopback comes first, and then what its name resolves to. This host's nodes listen
/// on loopback whatever the name resolves to: that may be nothing, an IPv6 address on which they do
/// not listen, or 127.0.1.1. The resolver is asked only when loopback was not enough.
public struct AddressSearch: Sendable, ExpressibleByArrayLiteral {
    private enum Rest: Sendable {
        case none
        /// The addresses that the name resolves to.
        case resolved(host: String)
        /// The same for this host's name, which need not resolve.
        case resolvedToo(host: String)
    }

    private let port: UInt16
    /// The addresses to return next.
    private var next: [SocketAddress]
    private var given: Set<SocketAddress> = []
    private var rest: Rest

    /// Searches these addresses, in their order.
    public init(_ addresses: [SocketAddress]) {
        port = 0
        next = addresses
        rest = .none
    }

    public init(arrayLiteral addresses: SocketAddress...) {
        self.init(addresses)
    }

    /// Searches the addresses of `host`, which is an address or a name.
    /// - Parameter ownHost: the names that mean this host.
    public init(host: String, port: UInt16, ownHost: OwnHost = OwnHost()) {
        self.port = port
        if let literal = SocketAddress(host, port: port) {
            next = [literal]
            rest = .none
        } else if ownHost.isNamed(host) {
            next = [.loopback(port: port), .loopbackOfIPv6(port: port)]
            rest = .resolvedToo(host: host)
        } else {
            next = []
            rest = .resolved(host: host)
        }
    }

    /// The next address; `nil` after the last one.
    public mutating func next() async throws(ResolutionError) -> SocketAddress? {
        while true {
            while !next.isEmpty {
                let address = next.removeFirst()
                if given.insert(address).inserted { return address }
            }
            switch rest {
            case .none: return nil
            case .resolved(let host):
                rest = .none
                next = try await SocketAddress.resolve(host, port: port)
            case .resolvedToo(let host):
                rest = .none
                do throws(ResolutionError) {
                    next = try await SocketAddress.resolve(host, port: port)
                } catch {
                    // The errors at the loopback addresses tell more.
                    return nil
                }
            }
        }
    }
}
