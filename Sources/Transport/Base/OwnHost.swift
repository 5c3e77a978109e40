internal import Glibc

/// The names by which this host is called, to tell its nodes from those of other hosts.
///
/// Like OTP it needs no file and no server for its own name: `gethostbyname_self` in `inet.erl`.
public struct OwnHost: Equatable, Sendable {
    private var names: Set<String>

    /// What the machine is called, with and without its domain, and `localhost`.
    /// - Parameter others: further names; addresses among them are not taken for names.
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

    /// What `gethostname(2)` says, such as `server` or `server.example.com`; empty where it says
    /// nothing.
    package static var machineName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension OwnHost {
    /// The name that the host's resolver gives `host` beside its IPv4 address, which in a file of
    /// hosts is the first of its line; `nil` when it does not know `host`. It blocks.
    package static func canonicalName(of host: String) -> String? {
        var hints = addrinfo()
        // As OTP asks; other addresses may be in other lines.
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_CANONNAME
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        return list?.pointee.ai_canonname.map { String(cString: $0) }
    }
}
