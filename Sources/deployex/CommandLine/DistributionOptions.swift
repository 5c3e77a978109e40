/// How this process takes part in the distribution, by our own flags and Erlang's switches.
///
/// Erlang's switches come from the arguments and from `ELIXIR_ERL_OPTIONS`. So
/// `ELIXIR_ERL_OPTIONS="-setcookie cookie" deployex --sname deployex` means the same as it does for
/// `iex`. The arguments win.
struct DistributionOptions: Equatable {
    /// The node's own name, with or without `@host`.
    var name: String?
    /// Whether host names are fully qualified (`--name`) or short (`--sname`).
    var usesLongNames = false
    var cookie: String?
    /// The options file of TLS: `-ssl_dist_optfile`.
    var tlsOptionsFile: String?
    /// Whether `-proto_dist` asks for TLS; `nil` when it was not given.
    var usesTLS: Bool?
    /// Whether `-proto_dist` asks for IPv6; `nil` when it was not given.
    var usesIPv6: Bool?
    /// The deployex node that a command talks to; by default `deployex` on this host.
    var target: String?

    /// Takes `option` with its value; returns `false` when the option is not one of these.
    mutating func accept(
        _ option: String, from scanner: inout ArgumentScanner
    ) throws(UsageError) -> Bool {
        switch option {
        case "--sname", "-sname": try take(name: scanner.value(of: option), isLong: false)
        case "--name", "-name": try take(name: scanner.value(of: option), isLong: true)
        case "--cookie", "-setcookie":
            cookie = try scanner.value(of: option)
        case "-hidden":
            break
        case "-proto_dist":
            let value = try scanner.value(of: option)
            switch value {
            case "inet_tls", "inet6_tls": usesTLS = true
            case "inet_tcp", "inet6_tcp": usesTLS = false
            default:
                throw UsageError(
                    "-proto_dist \(value) is not supported: use inet_tcp or inet_tls", nil)
            }
            usesIPv6 = value.hasPrefix("inet6")
        case "--tls-options":
            tlsOptionsFile = try scanner.value(of: option)
            usesTLS = true
        case "-ssl_dist_optfile":
            tlsOptionsFile = try scanner.value(of: option)
        case let option where option.hasPrefix("-ssl_dist"):
            throw UsageError("\(option) is not supported: use -ssl_dist_optfile", nil)
        default:
            return false
        }
        return true
    }

    private mutating func take(name: String, isLong: Bool) throws(UsageError) {
        guard self.name == nil || usesLongNames == isLong else {
            throw UsageError("a node has one name: give --sname or --name", nil)
        }
        self.name = name
        usesLongNames = isLong
    }

    /// These options plus those of `ELIXIR_ERL_OPTIONS`. `start` and the commands that talk to it
    /// get the same from the same environment.
    func merging(_ environment: [String: String]) throws(UsageError) -> DistributionOptions {
        var options = self
        do throws(UsageError) {
            try options.merge(erlangOptions: environment["ELIXIR_ERL_OPTIONS"] ?? "")
        } catch {
            throw UsageError("ELIXIR_ERL_OPTIONS: \(error.message)", error.verb)
        }
        return options
    }

    /// Adds what the variable says and the arguments did not. Switches for the emulator (`+S 4`),
    /// and others that are not about the distribution, have no meaning here and are skipped.
    mutating func merge(erlangOptions text: String) throws(UsageError) {
        var words = ArgumentScanner(text.split(whereSeparator: \.isWhitespace).map(String.init))
        var fromVariable = DistributionOptions()
        while let word = words.next() {
            guard case .option(let option) = word else { continue }
            _ = try fromVariable.accept(option, from: &words)
        }
        if name == nil, let name = fromVariable.name {
            self.name = name
            usesLongNames = fromVariable.usesLongNames
        }
        cookie = cookie ?? fromVariable.cookie
        usesTLS = usesTLS ?? fromVariable.usesTLS
        usesIPv6 = usesIPv6 ?? fromVariable.usesIPv6
        tlsOptionsFile = tlsOptionsFile ?? fromVariable.tlsOptionsFile
    }

    /// Where the settings of TLS come from.
    enum TLSSource: Equatable {
        case optionsFile(String)
        /// The folder with `ca.crt`, `deployex.crt` and `deployex.key`.
        case folder(String)
    }

    /// Where TLS is to be configured from, or `nil` for plain TCP.
    /// - Parameter certificateFolder: used when no options file is named; empty for none.
    func tlsSource(certificateFolder: String) throws(UsageError) -> TLSSource? {
        switch (usesTLS, tlsOptionsFile) {
        case (true?, let file?): return .optionsFile(file)
        case (true?, nil) where certificateFolder.hasPrefix("/"): return .folder(certificateFolder)
        case (true?, nil):
            throw UsageError(
                "-proto_dist inet_tls needs -ssl_dist_optfile FILE, or the certificates' folder in "
                    + "DEPLOYEX_OTP_TLS_CERT_PATH", nil)
        case (nil, _?):
            throw UsageError("-ssl_dist_optfile needs -proto_dist inet_tls", nil)
        case (false?, _), (nil, nil): return nil
        }
    }
}
