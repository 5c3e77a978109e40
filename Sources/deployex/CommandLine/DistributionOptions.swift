/// How this process takes part in the distribution: our own flags and Erlang's switches.
///
/// Erlang's come from the arguments and from `ELIXIR_ERL_OPTIONS`, so that
/// `ELIXIR_ERL_OPTIONS="-setcookie cookie" deployex --sname deployex` means what it means for `iex`.
/// The arguments win.
struct DistributionOptions: Equatable {
    /// The node's own name, with or without `@host`.
    var name: String?
    /// Fully qualified host names (`--name`) rather than short ones (`--sname`).
    var usesLongNames = false
    var cookie: String?
    /// The deployex node that a command talks to; `deployex` on this host when not given.
    var target: String?

    /// Takes `option` with its value; `false` when it is not one of these.
    mutating func accept(
        _ option: String, from scanner: inout ArgumentScanner
    ) throws(UsageError) -> Bool {
        switch option {
        case "--sname", "-sname":
            name = try scanner.value(of: option)
            usesLongNames = false
        case "--name", "-name":
            name = try scanner.value(of: option)
            usesLongNames = true
        case "--cookie", "-setcookie":
            cookie = try scanner.value(of: option)
        case "-hidden":
            break
        case "-proto_dist":
            let value = try scanner.value(of: option)
            guard value == "inet_tcp" else {
                throw UsageError("-proto_dist \(value) is not supported: use inet_tcp", nil)
            }
        default:
            return false
        }
        return true
    }

    /// These options with what `ELIXIR_ERL_OPTIONS` adds: the same for `start` and for the commands
    /// that talk to it from the same environment.
    func merging(_ environment: [String: String]) throws(UsageError) -> DistributionOptions {
        var options = self
        try options.merge(erlangOptions: environment["ELIXIR_ERL_OPTIONS"] ?? "")
        return options
    }

    /// Takes over what the variable says and the arguments did not. Switches for the emulator
    /// (`+S 4`), and others that are not about the distribution, mean nothing here and are skipped.
    mutating func merge(erlangOptions text: String) throws(UsageError) {
        var words = ArgumentScanner(text.split(whereSeparator: \.isWhitespace).map(String.init))
        var fromVariable = DistributionOptions()
        while let word = words.next() {
            guard case .option(let option) = word else { continue }
            if option.hasPrefix("-ssl_dist") {
                throw UsageError("\(option) in ELIXIR_ERL_OPTIONS is not supported", nil)
            }
            _ = try fromVariable.accept(option, from: &words)
        }
        if name == nil, let name = fromVariable.name {
            self.name = name
            usesLongNames = fromVariable.usesLongNames
        }
        cookie = cookie ?? fromVariable.cookie
    }
}
