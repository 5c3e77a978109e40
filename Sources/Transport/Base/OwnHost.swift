internal import CLinux
internal import Glibc

/// The names of this host, which tell its nodes from those of other hosts.
///
/// Like OTP it needs no file and no server for the host's own name: `gethostbyname_self` in
/// `inet.erl`.
public struct OwnHost: Equatable, Sendable {
    private var names: Set<String>

    /// The machine's name, with and without its domain, and `localhost`.
    /// - Parameter others: further names; addresses among them are ignored.
    public init(_ others: [String] = []) {
        self.init(others, machine: Self.machineName)
    }

    init(_ others: [String], machine: String) {
        let own = ["localhost", machine, String(machine.prefix { $0 != "." })]
        names = Set(
            (own + others).filter { !$0.isEmpty && SocketAddress($0, port: 0) == nil }
                .map { $0.lowercased() })
    }

    /// Whether `host` is a name of this host; an address never is.
    public func isNamed(_ host: String) -> Bool { names.contains(host.lowercased()) }

    /// The name that `gethostname(2)` returns, such as `server` or `server.example.com`; empty when
    /// it fails.
    package static var machineName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension OwnHost {
    /// The name that the host's resolver gives for `host` together with its IPv4 address; `nil`
    /// when the resolver does not know `host`. In a file of hosts that is the first name of the
    /// line. It blocks.
    package static func canonicalName(of host: String) -> String? {
        var hints = addrinfo()
        // OTP asks this way too. Other addresses may be in other lines.
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_CANONNAME
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        return list?.pointee.ai_canonname.map { String(cString: $0) }
    }
}
