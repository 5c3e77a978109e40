/// What carries the distribution.
enum Wire: String {
    case tcp = "TCP"
    case tls = "TLS"

    /// The host part of node names. An Erlang node checks a certificate against a name, never an address.
    var host: String {
        switch self {
        case .tcp: "127.0.0.1"
        case .tls: "localhost"
        }
    }

    /// What a BEAM is called by and told, with the files that `build-bench-peers.sh` has made.
    func switches(alive: String, folder: String) -> [String] {
        switch self {
        case .tcp: ["-name", "\(alive)@\(host)"]
        // Only names with a dot are long.
        case .tls:
            [
                "-sname", "\(alive)@\(host)", "-proto_dist", "inet_tls",
                "-ssl_dist_optfile", Self.optionsFile(folder),
            ]
        }
    }

    static func optionsFile(_ folder: String) -> String { "\(folder)/inet_tls.conf" }
}
