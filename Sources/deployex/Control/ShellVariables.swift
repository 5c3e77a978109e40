internal import Supervisor
internal import Transport

/// The environment of a remote shell: the user's variables without those of another release and
/// without deployex's secrets, plus those that make it the instance's shell. They are not passed in
/// the arguments, which everybody on the host can read.
///
/// If the shell runs as somebody else, that user's program must not get our variables, which may
/// hold an agent, an account or a token. The exceptions are those of the terminal and those without
/// which the node is not found.
enum ShellVariables {
    /// - Parameters:
    ///   - inherited: those of whoever opens the shell.
    ///   - instance: the variables that make a program the instance's.
    ///   - folder: the folder that a relative path starts from.
    ///   - owner: the user that the shell runs as, if it is another one.
    static func of(
        _ inherited: [String: String], instance: [String: String], cookie: String,
        tlsOptionsFile: String? = nil, folder: String = "", user owner: ProcessUser? = nil
    ) -> [String: String] {
        // Keep Erlang's switches: a node under TLS is not reached without `-proto_dist inet_tls`.
        var variables = inherited.filter { name, _ in
            name == "ELIXIR_ERL_OPTIONS"
                || (owner == nil ? !InstanceEnvironment.isRemoved(name) : isForOthers(name))
        }
        let switches = variables["ELIXIR_ERL_OPTIONS"] ?? ""
        if let tlsOptionsFile, !switches.contains("-proto_dist") {
            // Pass on what our arguments said, which the shell does not see. A BEAM that boots does
            // not find a file by a relative path.
            let file =
                tlsOptionsFile.hasPrefix("/") ? tlsOptionsFile : folder + "/" + tlsOptionsFile
            variables["ELIXIR_ERL_OPTIONS"] =
                switches + (switches.isEmpty ? "" : " ")
                + "-proto_dist inet_tls -ssl_dist_optfile \(file)"
        }
        if let owner { variables.merge(owner.variables) { $1 } }
        variables["RELEASE_COOKIE"] = cookie
        // An application with its own cookie was started with that one.
        variables.merge(instance) { $1 }
        return variables
    }

    /// The variables of ours that a program of another user gets: those of the terminal, and those
    /// that find programs and nodes.
    private static let namesForOthers: Set<String> = [
        "TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ", "PATH", "ERL_EPMD_PORT",
        "ERL_EPMD_ADDRESS",
    ]

    private static func isForOthers(_ name: String) -> Bool {
        namesForOthers.contains(name) || name.hasPrefix("LC_")
    }
}
