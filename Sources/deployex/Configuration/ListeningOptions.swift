internal import Transport

/// Where this node accepts connections of other nodes, and how long they may be silent.
///
/// The configuration file wins over the variables. The variables win over the kernel's switches in
/// `ELIXIR_ERL_OPTIONS`, such as `-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105`.
///
/// Source: "Configuration", kernel(6).
struct ListeningOptions: Equatable {
    /// The interface to listen on; `nil` for all.
    var interface: SocketAddress?
    /// The networks whose nodes may connect, besides this host; `nil` when no network is
    /// configured.
    var networks: [IPNetwork]?
    /// The ports to try; `nil` when the system chooses one.
    var ports: ClosedRange<UInt16>?
    var tickTime: Duration = .seconds(60)

    /// The seconds that the tick time may have.
    private static let tickTimes = 1...86_400

    /// - Throws: ``UsageError`` that names the setting, its value and what it takes.
    init(_ settings: Settings) throws(UsageError) {
        if let value = settings.value(.distributionInterface) {
            guard let address = Self.address(try value.text()) else {
                throw value.failure("an address of this host, such as 127.0.0.1 or ::1")
            }
            interface = address
        }
        networks = try Self.networks(settings)
        let ports = 1...Int(UInt16.max)
        let minimum = try settings.value(.distributionPortMinimum)?.integer(in: ports)
        let maximum = try settings.value(.distributionPortMaximum)?.integer(in: ports)
        let names = [Setting.distributionPortMinimum, .distributionPortMaximum].map { setting in
            settings.value(setting)?.name ?? settings.name(of: setting)
        }
        switch (minimum, maximum) {
        case (let low?, let high?):
            guard low <= high else {
                throw UsageError("\(names[0])=\(low) is above \(names[1])=\(high)", "start")
            }
            self.ports = UInt16(low)...UInt16(high)
        case (let only?, nil): self.ports = UInt16(only)...UInt16(only)
        case (nil, let high?):
            throw UsageError("\(names[1])=\(high) needs \(names[0]) beside it", "start")
        case (nil, nil): break
        }
        if let seconds = try settings.value(.tickTime)?.integer(in: Self.tickTimes) {
            tickTime = .seconds(seconds)
        }
    }

    static func networks(_ settings: Settings) throws(UsageError) -> [IPNetwork]? {
        guard let value = settings.value(.distributionNetworks) else { return nil }
        var networks: [IPNetwork] = []
        for text in try value.words() {
            guard let network = IPNetwork(text) else {
                throw value.failure("networks such as 10.0.0.0/8 and fd00::/8; \(text) is none")
            }
            networks.append(network)
        }
        return networks
    }

    /// The peers whose connections are accepted. Without TLS, other hosts need nothing but a
    /// cookie, so only a configured network or interface lets them in.
    func admittedPeers(usesTLS: Bool) -> AdmittedPeers {
        if let networks { return .thisHost(and: networks) }
        return usesTLS || interface != nil ? .everybody : .thisHost
    }

    /// The address to listen on. Its port comes from ``ports`` or from the system.
    func address(usesIPv6: Bool) -> SocketAddress {
        // IPv6's wildcard also accepts connections over IPv4 (ipv6(7)).
        interface ?? (usesIPv6 ? SocketAddress("::", port: 0) : nil) ?? .any(port: 0)
    }

    /// An address as text, or as Erlang's tuple of numbers: `{127,0,0,1}`.
    private static func address(_ text: String) -> SocketAddress? {
        guard text.hasPrefix("{"), text.hasSuffix("}") else { return SocketAddress(text, port: 0) }
        let parts = text.dropFirst().dropLast().split(
            separator: ",", omittingEmptySubsequences: false)
        switch parts.count {
        case 4: return SocketAddress(parts.joined(separator: "."), port: 0)
        case 8:
            let groups = parts.compactMap { UInt16($0).map { String($0, radix: 16) } }
            guard groups.count == 8 else { return nil }
            return SocketAddress(groups.joined(separator: ":"), port: 0)
        default: return nil
        }
    }
}
