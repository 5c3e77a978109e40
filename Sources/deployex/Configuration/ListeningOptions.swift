internal import Transport

/// Where this node accepts connections of other nodes, and how long they may be silent.
///
/// Deployex's own variables win over the kernel's switches in `ELIXIR_ERL_OPTIONS`, such as
/// `-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105`.
///
/// Source: "Configuration", kernel(6).
struct ListeningOptions: Equatable {
    /// `nil` for all interfaces.
    var interface: SocketAddress?
    /// `nil` when the system chooses.
    var ports: ClosedRange<UInt16>?
    var tickTime: Duration = .seconds(60)

    /// Seconds of the tick time.
    private static let tickTimes = 1...86_400

    /// - Throws: ``UsageError`` that names the variable or switch, its value and what it takes.
    init(environment: [String: String]) throws(UsageError) {
        let settings = Settings(environment)
        if let (name, text) = settings.value(
            "DEPLOYEX_DIST_INTERFACE", "inet_dist_use_interface")
        {
            guard let address = Self.address(text) else {
                throw UsageError(
                    "\(name)=\(text): an address of this host, such as 127.0.0.1 or ::1", .start)
            }
            interface = address
        }
        let ports = 1...Int(UInt16.max)
        let minimum = try settings.integer(
            "DEPLOYEX_DIST_PORT_MIN", "inet_dist_listen_min", in: ports)
        let maximum = try settings.integer(
            "DEPLOYEX_DIST_PORT_MAX", "inet_dist_listen_max", in: ports)
        switch (minimum, maximum) {
        case (let low?, let high?):
            guard low.value <= high.value else {
                throw UsageError(
                    "\(low.name)=\(low.value) is above \(high.name)=\(high.value)", .start)
            }
            self.ports = UInt16(low.value)...UInt16(high.value)
        case (let only?, nil): self.ports = UInt16(only.value)...UInt16(only.value)
        case (nil, let high?):
            throw UsageError(
                "\(high.name)=\(high.value) needs DEPLOYEX_DIST_PORT_MIN beside it", .start)
        case (nil, nil): break
        }
        if let seconds = try settings.integer(
            "DEPLOYEX_NET_TICKTIME", "net_ticktime", in: Self.tickTimes)
        {
            tickTime = .seconds(seconds.value)
        }
    }

    /// Where to listen, on a port that ``ports`` or the system gives.
    func address(usesIPv6: Bool) -> SocketAddress {
        // IPv6's wildcard takes connections over IPv4 too (ipv6(7)).
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

/// The variables, and what `-kernel` says in `ELIXIR_ERL_OPTIONS`.
private struct Settings {
    private let environment: [String: String]
    private var kernel: [String: String] = [:]

    init(_ environment: [String: String]) {
        self.environment = environment
        let words = (environment["ELIXIR_ERL_OPTIONS"] ?? "").split(whereSeparator: \.isWhitespace)
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word == "-kernel" else { continue }
            while rest.count >= 2, let key = rest.first, !key.hasPrefix("-"), !key.hasPrefix("+") {
                rest.removeFirst()
                let value = rest.removeFirst().filter { !"\"'\\".contains($0) }
                kernel[String(key)] = String(value)
            }
        }
    }

    /// What is set, and by what name.
    func value(_ variable: String, _ kernelName: String) -> (name: String, text: String)? {
        if let text = environment[variable], !text.isEmpty { return (variable, text) }
        if let text = kernel[kernelName] { return ("-kernel \(kernelName)", text) }
        return nil
    }

    func integer(
        _ variable: String, _ kernelName: String, in range: ClosedRange<Int>
    ) throws(UsageError) -> (name: String, value: Int)? {
        guard let (name, text) = value(variable, kernelName) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw UsageError(
                "\(name)=\(text): a whole number from \(range.lowerBound) to \(range.upperBound)",
                .start)
        }
        return (name, value)
    }
}
