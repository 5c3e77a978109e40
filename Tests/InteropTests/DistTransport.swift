import Testing

/// What connections between nodes go over in this run.
///
/// The environment variable DEPLOYEX_TRANSPORT names it; without it, it is plain TCP. Every test of
/// ``DistTests`` means the same over each: the fixture gives the switches to the real nodes and the
/// configuration to ours.
enum DistTransport: String, CaseIterable {
    case tcp
    case tls12 = "tls1.2"
    case tls13 = "tls1.3"

    /// What this run is for, or why its tests cannot run.
    static let choice: Result<DistTransport, OTPReleaseError> = {
        guard let name = OTPRelease.variable("DEPLOYEX_TRANSPORT"), !name.isEmpty else {
            return .success(.tcp)
        }
        guard let transport = DistTransport(rawValue: name) else {
            let names = allCases.map(\.rawValue).joined(separator: ", ")
            return .failure(
                OTPReleaseError("DEPLOYEX_TRANSPORT is \(name), which is none of \(names)"))
        }
        return .success(transport)
    }()

    static var current: DistTransport {
        switch choice {
        case .success(let transport): transport
        case .failure: .tcp
        }
    }

    /// The one version of TLS that both sides speak, as `ssl` spells it; `nil` for plain TCP.
    var version: String? {
        switch self {
        case .tcp: nil
        case .tls12: "tlsv1.2"
        case .tls13: "tlsv1.3"
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a suite, with the reason, when the transport that the run asks for does not exist.
    static var ifTransportIsKnown: ConditionTrait {
        switch DistTransport.choice {
        case .success: .enabled(if: true)
        case .failure(let reason): .disabled("\(reason.description)")
        }
    }

    /// Skips a test over other transports, with the reason why it makes no sense there.
    static func only(over transport: DistTransport, _ reason: Comment) -> ConditionTrait {
        .enabled(if: DistTransport.current == transport, reason)
    }
}
