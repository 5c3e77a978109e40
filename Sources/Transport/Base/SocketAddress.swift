internal import CLinux
internal import Glibc

/// An IPv4 or IPv6 address with a port.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// 4 bytes (IPv4) or 16 bytes (IPv6), in network order.
    public private(set) var octets: [UInt8]
    public var port: UInt16
    /// The interface of a link-local IPv6 address; 0 for none.
    private var scope: UInt32 = 0

    /// Loopback, IPv4.
    public static func loopback(port: UInt16) -> SocketAddress {
        SocketAddress(octets: [127, 0, 0, 1], port: port)
    }

    /// Loopback, IPv6.
    package static func loopbackOfIPv6(port: UInt16) -> SocketAddress {
        SocketAddress(octets: [UInt8](repeating: 0, count: 15) + [1], port: port)
    }

    /// All interfaces, IPv4.
    public static func any(port: UInt16) -> SocketAddress {
        SocketAddress(octets: [0, 0, 0, 0], port: port)
    }

    /// All interfaces, IPv6.
    package static func anyOfIPv6(port: UInt16) -> SocketAddress {
        SocketAddress(octets: [UInt8](repeating: 0, count: 16), port: port)
    }

    init(octets: [UInt8], port: UInt16) {
        self.octets = octets
        self.port = port
    }

    /// The address written as `text`, such as `127.0.0.1` or `::1`; `nil` for anything else.
    public init?(_ text: String, port: UInt16) {
        var octets = [UInt8](repeating: 0, count: 4)
        if inet_pton(AF_INET, text, &octets) == 1 {
            self.init(octets: octets, port: port)
            return
        }
        octets = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, text, &octets) == 1 else { return nil }
        self.init(octets: octets, port: port)
    }

    /// Whether only this host can reach the address.
    public var isLoopback: Bool {
        let octets = unmapped.octets
        return octets.count == 4
            ? octets[0] == 127 : octets == [UInt8](repeating: 0, count: 15) + [1]
    }

    package var isOfIPv4: Bool { octets.count == 4 }

    /// "127.0.0.1" or "::1", for logs.
    package var host: String { Self.host(of: octets) }

    /// Four or sixteen bytes as text.
    static func host(of octets: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = octets.count == 4 ? AF_INET : AF_INET6
        inet_ntop(family, octets, &text, socklen_t(text.count))
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// "127.0.0.1:4369" or "[::1]:4369"
    public var description: String {
        octets.count == 4 ? "\(host):\(port)" : "[\(host)]:\(port)"
    }

    /// The addresses of `host` with `port`, IPv4 first as OTP prefers. It blocks: call it through
    /// ``offload(_:)``.
    static func resolving(_ host: String, port: UInt16) throws(ResolutionError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else {
            throw ResolutionError(host: host, reason: String(cString: gai_strerror(code)))
        }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = SocketAddress(entry.pointee.ai_addr, port: port),
                !found.contains(address)
            {
                found.append(address)
            }
            next = entry.pointee.ai_next
        }
        return found.filter { $0.octets.count == 4 } + found.filter { $0.octets.count == 16 }
    }

    /// The addresses of `host`, IPv4 first, without blocking the caller's executor.
    public static func resolve(
        _ host: String, port: UInt16
    ) async throws(ResolutionError) -> [SocketAddress] {
        if let literal = SocketAddress(host, port: port) { return [literal] }
        return try await offload { () throws(ResolutionError) in try resolving(host, port: port) }
    }

    // MARK: C structures

    init?(_ pointer: UnsafePointer<sockaddr>?, port: UInt16? = nil) {
        guard let pointer else { return nil }
        switch Int32(pointer.pointee.sa_family) {
        case AF_INET:
            let value = UnsafeRawPointer(pointer).loadUnaligned(as: sockaddr_in.self)
            octets = withUnsafeBytes(of: value.sin_addr) { Array($0) }
            self.port = port ?? UInt16(bigEndian: value.sin_port)
        case AF_INET6:
            let value = UnsafeRawPointer(pointer).loadUnaligned(as: sockaddr_in6.self)
            octets = withUnsafeBytes(of: value.sin6_addr) { Array($0) }
            self.port = port ?? UInt16(bigEndian: value.sin6_port)
            scope = value.sin6_scope_id
        default:
            return nil
        }
    }

    /// The address that getsockname(2) or getpeername(2) returns for a socket; `nil` when there is
    /// none.
    init?(
        of descriptor: Int32,
        _ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let found = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                call(descriptor, pointer, &length) == 0
                    ? SocketAddress(UnsafePointer(pointer)) : nil
            }
        }
        guard let found else { return nil }
        self = found
    }

    var family: Int32 {
        octets.count == 4 ? AF_INET : AF_INET6
    }

    func withSockAddr<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var storage = sockaddr_storage()
        let length =
            octets.count == 4
            ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        return withUnsafeMutableBytes(of: &storage) { bytes in
            if octets.count == 4 {
                var value = sockaddr_in()
                value.sin_family = sa_family_t(AF_INET)
                value.sin_port = port.bigEndian
                withUnsafeMutableBytes(of: &value.sin_addr) { $0.copyBytes(from: octets) }
                bytes.storeBytes(of: value, as: sockaddr_in.self)
            } else {
                var value = sockaddr_in6()
                value.sin6_family = sa_family_t(AF_INET6)
                value.sin6_port = port.bigEndian
                value.sin6_scope_id = scope
                withUnsafeMutableBytes(of: &value.sin6_addr) { $0.copyBytes(from: octets) }
                bytes.storeBytes(of: value, as: sockaddr_in6.self)
            }
            return bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                guard let base = pointer.baseAddress else {
                    preconditionFailure("A sockaddr_storage has an address")
                }
                return body(UnsafePointer(base), socklen_t(length))
            }
        }
    }
}

/// A host name that could not be resolved, with the resolver's reason. Source: getaddrinfo(3).
public struct ResolutionError: Error, Equatable, Sendable, CustomStringConvertible {
    public var host: String
    public var reason: String

    public init(host: String, reason: String) {
        self.host = host
        self.reason = reason
    }

    public var description: String {
        "resolving host name \(host): \(reason)"
    }
}
