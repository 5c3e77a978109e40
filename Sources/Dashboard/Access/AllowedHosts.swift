/// The names under which the dashboard may be asked.
///
/// A page of a stranger can make a browser ask this host by a name of the stranger's ("DNS
/// rebinding"). The browser then names that host, and the answer is `421`.
package struct AllowedHosts: Equatable, Sendable {
    private let names: Set<String>

    /// - Parameter names: beside those of loopback.
    package init(_ names: [String] = []) {
        self.names = Set(names.map { $0.lowercased() }).union(["localhost", "127.0.0.1", "[::1]"])
    }

    /// - Parameter host: `HOST` or `HOST:PORT` in lower case; `nil` if none was named, as in
    ///   HTTP/1.0.
    package func allow(_ host: String?) -> Bool {
        guard let host else { return true }
        return names.contains(Self.name(of: host))
    }

    private static func name(of host: String) -> String {
        guard !host.hasSuffix("]"), let colon = host.lastIndex(of: ":") else { return host }
        return String(host[..<colon])
    }
}
