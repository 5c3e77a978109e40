import Testing

@testable import deployex

private func invocation(_ arguments: String...) throws(UsageError) -> Invocation {
    try Invocation(arguments: arguments)
}

@Suite struct InvocationTests {
    @Test func `without a command it starts, with the node name given`() throws {
        let start = try invocation("--sname", "deployex", "--cookie=secret")
        #expect(start.command == .start)
        #expect(start.distribution.name == "deployex")
        #expect(start.distribution.cookie == "secret")
        #expect(!start.distribution.usesLongNames)
        #expect(try invocation("start", "--name", "d@h.example").distribution.usesLongNames)
    }

    @Test(arguments: [
        (["status", "--json"], Invocation.Command.status(json: true)),
        (["ping", "a@b"], .ping(node: "a@b")),
        (
            ["probe", "a", "--app", "counter", "--json"],
            .probe(node: "a", application: "counter", json: true)
        ),
        (
            ["rpc", "a", "erlang", "node"],
            .rpc(node: "a", module: "erlang", function: "node", arguments: "[]")
        ),
        (
            ["rpc", "a", "m", "f", "[-1]"],
            .rpc(node: "a", module: "m", function: "f", arguments: "[-1]")
        ),
        (["names"], .names(host: nil)),
        (["epmd", "-daemon"], .epmd(daemon: true)),
        (["help", "rpc"], .help(.rpc)),
        (["rpc", "--help"], .help(.rpc)),
        (["--version"], .version),
        (["completion", "zsh"], .completion(.zsh)),
    ])
    func `each command is read with its options`(
        arguments: [String], command: Invocation.Command
    ) throws {
        #expect(try Invocation(arguments: arguments).command == command)
    }

    @Test(arguments: [
        (["staus"], "unknown command staus: did you mean status?"),
        (["frobnicate"], "unknown command frobnicate: `deployex help` lists them"),
        (["ping"], "missing argument for `deployex ping`: deployex ping NODE"),
        (["ping", "a", "b"], "unexpected argument b: deployex ping NODE"),
        (["ping", "a", "--json"], "unknown option --json for `deployex ping`"),
        (["start", "--sname"], "--sname needs a value"),
        (["ping", "a", "--timeout", "soon"], "--timeout takes seconds above 0, not soon"),
        (["completion", "csh"], "no completion for csh: bash, zsh or fish"),
    ])
    func `what cannot be carried out is one line that says what to do`(
        arguments: [String], message: String
    ) {
        let error = #expect(throws: UsageError.self) { try Invocation(arguments: arguments) }
        #expect(error?.message == message)
    }

    @Test func `Erlang's switches come from the variable too, and the arguments win`() throws {
        var options = DistributionOptions()
        options.cookie = "mine"
        try options.merge(erlangOptions: "+S 4 -setcookie theirs -sname other -hidden")
        #expect(options.cookie == "mine")
        #expect(options.name == "other")
    }

    @Test func `commands read the variable as start does, and find its cookie`() throws {
        let environment = [
            "ELIXIR_ERL_OPTIONS": "-setcookie theirs", "DEPLOYEX_ERLANG_COOKIE": "other",
        ]
        for arguments in [["start"], ["status"], ["ping", "deployex"]] {
            let options = try Invocation(arguments: arguments).distribution.merging(environment)
            #expect(try Cookie.find(options, environment: environment) == "theirs")
        }
        #expect(try DistributionOptions().merging([:]) == DistributionOptions())
    }

    @Test func `TLS is asked for as for a BEAM, or by a plain flag`() throws {
        var options = DistributionOptions()
        try options.merge(
            erlangOptions: "-proto_dist inet_tls -ssl_dist_optfile /tmp/a.conf -setcookie c")
        #expect(try options.tlsSource(certificateFolder: "") == .optionsFile("/tmp/a.conf"))
        let flag = try invocation("--tls-options", "/tmp/b.conf").distribution
        #expect(try flag.tlsSource(certificateFolder: "/etc") == .optionsFile("/tmp/b.conf"))
        #expect(try invocation().distribution.tlsSource(certificateFolder: "/etc") == nil)
        let folder = try invocation("-proto_dist", "inet_tls").distribution
        #expect(try folder.tlsSource(certificateFolder: "/etc/tls") == .folder("/etc/tls"))
    }

    @Test(arguments: [
        (
            "-proto_dist inet_tls",
            "-proto_dist inet_tls needs -ssl_dist_optfile FILE, or the certificates' folder in "
                + "DEPLOYEX_OTP_TLS_CERT_PATH"
        ),
        ("-ssl_dist_optfile a.conf", "-ssl_dist_optfile needs -proto_dist inet_tls"),
        (
            "-proto_dist quic",
            "-proto_dist quic is not supported: use inet_tcp or inet_tls"
        ),
        (
            "-ssl_dist_opt server_certfile a.pem",
            "-ssl_dist_opt is not supported: use -ssl_dist_optfile"
        ),
    ])
    func `half of TLS is refused by name, never ignored`(text: String, message: String) {
        let error = #expect(throws: UsageError.self) {
            var options = DistributionOptions()
            try options.merge(erlangOptions: text)
            _ = try options.tlsSource(certificateFolder: "")
        }
        #expect(error?.message == message)
    }

    @Test func `every command has a help text and is completed`() {
        for command in CommandName.allCases {
            #expect(HelpText.text(for: command).contains(command.synopsis))
            #expect(HelpText.text(for: nil).contains("  \(command.rawValue) "))
            for shell in Shell.allCases {
                #expect(shell.completionScript.contains(command.rawValue))
            }
        }
    }
}
