public import Transport

/// Where EPMD listens, according to the environment variables that all OTP tools read.
///
/// Source: "Environment Variables", epmd(1).
public enum EPMDEnvironment {
    /// The port of EPMD, unless `ERL_EPMD_PORT` says otherwise.
    public static let defaultPort: UInt16 = 4369

    /// The port in `ERL_EPMD_PORT`, or 4369.
    public static func port(_ environment: [String: String]) throws(EPMDError) -> UInt16 {
        guard let text = environment["ERL_EPMD_PORT"], !text.isEmpty else { return defaultPort }
        guard let port = UInt16(text), port > 0 else {
            throw .badSetting(variable: "ERL_EPMD_PORT", value: text)
        }
        return port
    }

    /// This host's daemon: 127.0.0.1, where a daemon always listens, with the environment's port.
    public static func clientAddress(
        _ environment: [String: String]
    ) throws(EPMDError) -> SocketAddress {
        .loopback(port: try port(environment))
    }

    /// Where a daemon also listens, if the host has IPv6: where one listens at all addresses, at
    /// those of IPv6 too, otherwise at IPv6's loopback. A node with `-proto_dist inet6_tcp` asks
    /// there, if its host's name is an address of IPv6 only.
    public static func daemonAddressesOfIPv6(
        beside addresses: [SocketAddress]
    ) -> [SocketAddress] {
        guard let port = addresses.first?.port else { return [] }
        let all = SocketAddress.anyOfIPv6(port: port)
        if addresses.contains(.any(port: port)) { return [all] }
        let loopback = SocketAddress.loopbackOfIPv6(port: port)
        return addresses.contains { $0 == all || $0 == loopback } ? [] : [loopback]
    }

    /// Where a daemon listens: on the addresses of `ERL_EPMD_ADDRESS` (separated by commas or
    /// spaces) and loopback. Without the variable, on all interfaces.
    public static func daemonAddresses(
        _ environment: [String: String]
    ) throws(EPMDError) -> [SocketAddress] {
        let port = try port(environment)
        let text = environment["ERL_EPMD_ADDRESS"] ?? ""
        var addresses: [SocketAddress] = []
        for part in text.split(whereSeparator: { $0 == "," || $0 == " " }) {
            guard let address = SocketAddress(String(part), port: port) else {
                throw .badSetting(variable: "ERL_EPMD_ADDRESS", value: text)
            }
            if !addresses.contains(address) { addresses.append(address) }
        }
        if addresses.isEmpty { return [.any(port: port)] }
        let coversLoopback = addresses.contains {
            $0 == .loopback(port: port) || $0 == .any(port: port)
        }
        return coversLoopback ? addresses : addresses + [.loopback(port: port)]
    }
}
