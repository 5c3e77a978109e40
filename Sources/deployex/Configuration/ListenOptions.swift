internal import Deployment
internal import Supervisor
internal import Transport

/// Where deployex listens for an application, from `listen` or `DEPLOYEX_LISTEN`.
enum ListenOptions {
    /// More sockets than that are a mistake, and the holder keeps no more.
    static let maximumSocketCount = HolderMachine.maximumCount

    /// - Throws: ``UsageError`` that names the place and what is valid there.
    static func read(
        _ settings: Settings, replicas: Int
    ) throws(UsageError) -> [ListeningAddress] {
        guard let value = settings.value(.listen) else { return [] }
        var found: [ListeningAddress] = []
        switch value {
        case .text(let text, _):
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                try add(try listener(ofText: part, value), value, to: &found, replicas)
            }
        case .json:
            for element in try value.elements() {
                try add(try listener(ofObject: element), element, to: &found, replicas)
            }
        }
        return found
    }

    private static func add(
        _ listener: ListeningAddress, _ value: SettingValue, to found: inout [ListeningAddress],
        _ replicas: Int
    ) throws(UsageError) {
        guard found.count < InheritedSockets.maximumCount else {
            throw value.failure("at most \(InheritedSockets.maximumCount) addresses")
        }
        let last = listener.ports(replicas: replicas).upperBound
        guard last <= 65_535 else {
            throw value.failure(
                "\(replicas) replicas, each with its own port, need ports up to \(last), above 65535"
            )
        }
        for before in found {
            guard before.name != listener.name else {
                throw value.failure("each name once; \(listener.name) is there twice")
            }
            guard !listener.overlaps(before, replicas: replicas, otherReplicas: replicas) else {
                throw value.failure(
                    "\(listener.name) at \(listener.address) would take a port of \(before.name) at "
                        + "\(before.address)")
            }
        }
        found.append(listener)
    }

    /// `http=0.0.0.0:4000` or `http=0.0.0.0:4000/own`
    private static func listener(
        ofText text: Substring, _ value: SettingValue
    ) throws(UsageError) -> ListeningAddress {
        let parts = text.filter { $0 != " " }
            .split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw value.failure(takesText) }
        var listener = ListeningAddress(
            name: try name(String(parts[0]), value), address: .any(port: 1))
        let rest = parts[1].split(separator: "/", omittingEmptySubsequences: false)
        if rest.count > 1 {
            guard rest.count == 2, let mode = ListeningAddress.Mode(rawValue: String(rest[1]))
            else { throw value.failure(takesText) }
            listener.mode = mode
        }
        listener.address = try address(String(rest.first ?? ""), value)
        return listener
    }

    private static let takesText =
        "NAME=ADDRESS:PORT, such as http=0.0.0.0:4000 or http=[::]:4000/own, several with commas"

    private static func listener(
        ofObject value: SettingValue
    ) throws(UsageError) -> ListeningAddress {
        var found: [String: SettingValue] = [:]
        for (key, member) in try value.members() {
            guard ["name", "address", "mode", "backlog"].contains(key) else {
                throw member.failure("there is only name, address, mode and backlog")
            }
            guard found.updateValue(member, forKey: key) == nil else {
                throw member.failure("once")
            }
        }
        guard let nameValue = found["name"], let addressValue = found["address"] else {
            throw value.failure("an object with a name and an address")
        }
        var listener = ListeningAddress(
            name: try name(try nameValue.text(), nameValue),
            address: try address(try addressValue.text(), addressValue))
        if let value = found["mode"] {
            guard let mode = ListeningAddress.Mode(rawValue: try value.text()) else {
                throw value.failure("shared or own")
            }
            listener.mode = mode
        }
        listener.backlog = try found["backlog"]?.integer(in: 1...65_535) ?? listener.backlog
        return listener
    }

    private static func name(_ text: String, _ value: SettingValue) throws(UsageError) -> String {
        guard ListeningAddress.isName(text) else {
            throw value.failure(
                "a name is a lower-case letter, then lower-case letters, digits and _, "
                    + "\(ListeningAddress.maximumNameLength) at most")
        }
        return text
    }

    /// `0.0.0.0:4000` or `[::]:4000`
    private static func address(
        _ text: String, _ value: SettingValue
    ) throws(UsageError) -> SocketAddress {
        guard let colon = text.lastIndex(of: ":") else { throw value.failure(takesAddress) }
        let digits = text[text.index(after: colon)...]
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard digits.allSatisfy({ "0"..."9" ~= $0 }), let port = UInt16(digits), port > 0,
            let address = SocketAddress(String(host), port: port),
            address.isOfIPv4 != isBracketed
        else { throw value.failure(takesAddress) }
        return address
    }

    private static let takesAddress =
        "an address of this host and a port from 1 to 65535, such as 0.0.0.0:4000 or [::]:4000"

    /// One socket for all replicas cannot say which of them answers.
    static func refuseCheck(
        _ check: ApplicationConfiguration.HTTPCheck?, _ listening: [ListeningAddress],
        _ settings: Settings
    ) throws(UsageError) {
        guard check != nil, let shared = listening.first(where: { $0.mode == .shared }) else {
            return
        }
        throw UsageError(
            "\(settings.name(of: .readinessHTTPPath)) cannot tell which replica answers where all "
                + "share the socket \(shared.name): leave it out, and the distribution says who is "
                + "ready, or give each replica its own socket (mode own)", "start")
    }
}
