/// The addresses at which something on a host is looked for, one after the other.
///
/// ```swift
/// var search = AddressSearch(host: "server", port: 4369)
/// while let address = try await search.next() { … }
/// ```
/// This host's own are loopback first, and then what its name resolves to. Its nodes listen there
/// whatever the name resolves to, which may be nothing, an address of IPv6 that they do not listen
/// on, or 127.0.1.1. The resolver is asked only when loopback was not enough.
public struct AddressSearch: Sendable, ExpressibleByArrayLiteral {
    private enum Rest: Sendable {
        case none
        /// What the name resolves to.
        case resolved(host: String)
        /// The same, of this host: it need not resolve.
        case resolvedToo(host: String)
    }

    private let port: UInt16
    /// Those to be given next.
    private var next: [SocketAddress]
    private var given: Set<SocketAddress> = []
    private var rest: Rest

    /// These, in their order.
    public init(_ addresses: [SocketAddress]) {
        port = 0
        next = addresses
        rest = .none
    }

    public init(arrayLiteral addresses: SocketAddress...) {
        self.init(addresses)
    }

    /// Those of `host`, which is an address or a name.
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
                    // What loopback said tells more.
                    return nil
                }
            }
        }
    }
}
