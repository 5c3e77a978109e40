import FoundationEssentials
import Supervisor
import Testing

@testable import Deployment
@testable import deployex

private func invocation(_ arguments: String...) throws(UsageError) -> Invocation {
    try Invocation(arguments: arguments)
}

@Suite struct InvocationTests {
    @Test(arguments: Shell.allCases)
    func `completion offers the names of receivers`(shell: Shell) {
        #expect(shell.completionScript.contains("webhook slack pagerduty"))
    }

    @Test func `without a command it starts, with the node name given`() throws {
        let start = try invocation("--sname", "deployex", "--cookie=secret")
        #expect(start.command.isEqual(to: Start(configurationFile: nil)))
        #expect(start.distribution.name == "deployex")
        #expect(start.distribution.cookie == "secret")
        #expect(!start.distribution.usesLongNames)
        #expect(try invocation("start", "--name", "d@h.example").distribution.usesLongNames)
    }

    private static let commands: [([String], any Command)] = [
        (["status", "--json"], ShowStatus(asJSON: true)),
        (["ping", "a@b"], Ping(node: "a@b")),
        (
            ["probe", "a", "--app", "counter", "--json"],
            Probe(node: "a", application: "counter", asJSON: true)
        ),
        (
            ["rpc", "a", "erlang", "node"],
            RemoteCall(node: "a", module: "erlang", function: "node", arguments: "[]")
        ),
        (
            ["rpc", "a", "m", "f", "[-1]"],
            RemoteCall(node: "a", module: "m", function: "f", arguments: "[-1]")
        ),
        (["names"], ListNames(host: nil)),
        (["start", "--config", "/etc/d.json"], Start(configurationFile: "/etc/d.json")),
        (["start", "2"], Order("start", "2", waits: true)),
        (["start", "my-app-2", "--no-wait"], Order("start", "my-app-2", waits: false)),
        (["start", "counter"], GroupOrder(function: .start, application: "counter")),
        (["start", "all"], GroupOrder(function: .start, application: nil)),
        (["restart", "counter"], GroupOrder(function: .restart, application: "counter")),
        (["restart", "all"], GroupOrder(function: .restart, application: nil)),
        (["restart", "--all"], GroupOrder(function: .restart, application: nil)),
        (
            ["stop", "counter", "--no-wait"],
            GroupOrder(function: .stop, application: "counter", waits: false)
        ),
        (["ls"], ShowStatus(asJSON: false)),
        (["list", "--json"], ShowStatus(asJSON: true)),
        (["status", "-w"], WatchStatus(asJSON: false, withUsage: false)),
        (["ls", "--watch", "--json"], WatchStatus(asJSON: true, withUsage: false)),
        (["monit"], WatchStatus(asJSON: false, withUsage: true)),
        (["help", "ls"], Help(verb: "status")),
        (["ls", "--help"], Help(verb: "status")),
        (["stop", "counter-2"], Order("stop", "counter-2", waits: true)),
        (["stop", "--all"], StopAll(waits: true)),
        (["restart", "1", "--no-wait"], Order("restart", "1", waits: false)),
        (["deploy", "1.2.0-rc.1+b"], Order("deploy", "1.2.0-rc.1+b", waits: true)),
        (["deploy", "auto"], Order("deploy", "auto", waits: true)),
        (["rollback"], Order("rollback", waits: true)),
        (["unghost", "1.2.0"], Order("unghost", "1.2.0", waits: false)),
        (["versions", "--json"], ShowVersions(asJSON: true)),
        (["logs", "1"], ShowLog(source: .instance("1"))),
        (
            ["logs", "-f", "-n", "5", "--stderr", "counter-1"],
            ShowLog(source: .instance("counter-1"), isOnlyStderr: true, follows: true, lines: 5)
        ),
        (["logs"], ShowLog(source: .all(of: nil))),
        (["logs", "counter", "-f"], ShowLog(source: .all(of: "counter"), follows: true)),
        (["logs", "deployex"], ShowLog(source: .deployex)),
        (["notify-test", "--sink", "Slack"], NotifyTest(sink: "slack")),
        (["login-link"], LoginLink()), (["hash-password"], HashPassword()),
        (["describe", "counter-2"], DescribeInstance(instance: "counter-2")),
        (["verify"], VerifyInstances(instance: nil)),
        (["preflight", "1.2.3"], PreflightVersion(version: "1.2.3")),
        (
            ["preflight", "1.2.3", "--instance", "2", "--json"],
            PreflightVersion(version: "1.2.3", instance: "2", asJSON: true)
        ),
        (["verify", "2", "--json"], VerifyInstances(instance: "2", asJSON: true)),
        (["sign", "a-1.tar.gz", "-s", "k"], Sign(package: "a-1.tar.gz", key: "k")),
        (
            [
                "sign", "--key", "k", "p", "--app", "a", "--version", "1", "--pre-command",
                "eval A",
                "--pre-command", "eval B",
            ],
            Sign(
                package: "p", key: "k", application: "a", version: "1",
                preCommands: ["eval A", "eval B"])
        ),
        (["publish", "a-1.tar.gz", "--sign", "k"], Publish(package: "a-1.tar.gz", key: "k")),
        (["remote"], RemoteShell(instance: nil)),
        (["remote", "3"], RemoteShell(instance: "3")),
        (["completion", "instances"], ListWords(words: .instances)),
        (["epmd", "-daemon"], ServeEPMD(inBackground: true)),
        (["help", "rpc"], Help(verb: "rpc")),
        (["rpc", "--help"], Help(verb: "rpc")),
        (["--version"], ShowVersion()),
        (["-v"], ShowVersion()),
        (["--help"], Help(verb: nil)),
        (["-h"], Help(verb: nil)),
        (["--sname", "deployex", "--help"], Help(verb: nil)),
        (["start", "-h"], Help(verb: "start")),
        (["completion", "zsh"], CompletionScript(shell: .zsh)),
    ]

    @Test(arguments: commands.indices)
    func `each command is read with its options`(index: Int) throws {
        let (arguments, command) = Self.commands[index]
        let found = try Invocation(arguments: arguments).command
        #expect(found.isEqual(to: command), "\(arguments): \(found)")
    }

    @Test(arguments: [
        (["staus"], "unknown command staus: did you mean status?"),
        (["frobnicate"], "unknown command frobnicate: `deployex help` lists them"),
        (["ping"], "missing argument for `deployex ping`: deployex ping NODE"),
        (["ping", "a", "b"], "unexpected argument b: deployex ping NODE"),
        (["ping", "a", "--json"], "unknown option --json for `deployex ping`"),
        (["start", "--sname"], "--sname needs a value"),
        (
            ["ping", "a", "--sname", "b", "--name", "b@c.d"],
            "a node has one name: give --sname or --name"
        ),
        (
            ["start", "--name", "b@c.d", "-sname", "b"],
            "a node has one name: give --sname or --name"
        ),
        (["ping", "a", "--timeout", "soon"], "--timeout takes seconds above 0, not soon"),
        (
            ["sign", "p", "-s", "k", "--app", "a b"],
            "a b is no application: letters, digits and _ only"
        ),
        (
            ["sign", "p", "-s", "k", "--version", "../1"],
            "../1 is no version: letters, digits and ._+~- only"
        ),
        (["sign", "a-1.tar.gz"], "no key: name the file with the secret key by --key"),
        (["completion", "csh"], "no completion for csh: bash, zsh or fish"),
        (
            ["start", "app.js"],
            "app.js is no instance: give its number, APP-NUMBER, or an application's name"
        ),
        (
            ["restart", "0"],
            "0 is no instance: give its number, APP-NUMBER, or an application's name"
        ),
        (["restart"], "restart takes an instance, an application, or all for every instance"),
        (
            ["restart", "all", "--no-wait"],
            "--no-wait is for one instance: the next of several waits for the one before"
        ),
        (
            ["restart", "counter", "--app", "mailer"],
            "counter and --app mailer are two applications: name one"
        ),
        (
            ["stop"],
            "stop takes an instance, an application, or --all for everything and deployex itself"
        ),
        (["stop", "1", "--all"], "--all is every instance: leave out 1, or --all"),
        (
            ["stop", "all"],
            "stop all could mean two things: `deployex stop --all` stops every instance and then "
                + "deployex itself; `deployex stop APPLICATION` stops an application, and deployex "
                + "goes on"
        ),
        (
            ["stop", "--all", "--app", "counter"],
            "--all stops every application, and then deployex: `deployex stop counter` stops one"
        ),
        (["lst"], "unknown command lst: did you mean ls?"),
        (["ps"], "unknown command ps: `deployex status` shows what runs"),
        (["enabel"], "unknown command enabel: `deployex help` lists them"),
        (["start", "--no-wait"], "--no-wait is for `deployex start INSTANCE`"),
        (["start", "--app", "counter"], "--app is for `deployex start INSTANCE`"),
        (
            ["start", "1", "--config", "f"],
            "--config is for the server: 1 is started with what it knows"
        ),
        (["deploy", "../x"], "../x is no version: letters, digits and ._+~- only"),
        (["logs", "1", "-n", "many"], "--lines takes 0 to 100000, not many"),
        (["status", "-f"], "unknown option -f for `deployex status`"),
        (["status", "--json=false"], "--json takes no value: leave out what follows the ="),
        (["status", "--help=x"], "--help takes no value: leave out what follows the ="),
        (["stop", "--all=no"], "--all takes no value: leave out what follows the ="),
        (["status", "-setcookies=secret"], "unknown option -setcookies for `deployex status`"),
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
            #expect(
                try Cookie.lookFor(options, environment: environment, recorded: nil) == "theirs")
        }
        #expect(try DistributionOptions().merging([:]) == DistributionOptions())
    }

    @Test func `a folder of certificates alone turns nothing on, and start says so`() throws {
        let folder = ["DEPLOYEX_OTP_TLS_CERT_PATH": "/tls"]
        let none = DistributionOptions()
        #expect(try none.tlsSource(certificateFolder: "/tls") == nil)
        let warning = TLSAccess.warning(none, environment: folder)
        #expect(warning?.contains("-proto_dist inet_tls") == true)
        #expect(TLSAccess.warning(none, environment: [:]) == nil)
        for kind in ["inet_tls", "inet_tcp"] {
            var asked = none
            try asked.merge(erlangOptions: "-proto_dist \(kind)")
            #expect(TLSAccess.warning(asked, environment: folder) == nil)
        }
    }

    @Test func `what is wrong in the variable is named by it`() {
        for text in ["-proto_dist quic", "-sname", "-ssl_dist_opt a b"] {
            let error = #expect(throws: UsageError.self) {
                try DistributionOptions().merging(["ELIXIR_ERL_OPTIONS": text])
            }
            #expect(error?.message.hasPrefix("ELIXIR_ERL_OPTIONS: -") == true)
        }
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

    @Test func `the application, the node and the time to wait are options of every order`() throws
    {
        for words in [["restart", "1"], ["deploy", "1.0.0"], ["rollback"], ["stop", "1"]] {
            let order = try Invocation(
                arguments: words + ["--app", "counter", "--node", "other@host", "--timeout", "90"])
            #expect(order.application == "counter")
            #expect(order.distribution.target == "other@host")
            #expect(order.timeout == .seconds(90))
            // Who gives the effect so long does not wait as long for an answer.
            #expect(order.answerTimeout == .seconds(30))
        }
        #expect(try invocation("ping", "a", "--timeout", "90").answerTimeout == .seconds(90))
        #expect(try invocation("ping", "a").answerTimeout == .seconds(5))
    }

    @Test func `an error about a command with two forms is still one line`() {
        let error = #expect(throws: UsageError.self) { try invocation("start", "1", "2") }
        #expect(error?.message.contains("\n") == false)
        #expect(error?.message.contains("deployex start INSTANCE") == true)
    }

    @Test func `completion asks the running system for what only it knows`() {
        for shell in Shell.allCases {
            let script = shell.completionScript
            #expect(script.contains("instances") && script.contains("targets"))
            #expect(script.contains("applications"))
            #expect(script.contains("--no-wait") || script.contains("-l no-wait"))
        }
    }

    @Test func `every command has a help text and is completed`() {
        for verb in Verb.all {
            for form in verb.forms { #expect(Help.text(verb).contains("deployex \(form)")) }
            for line in Help.text(verb).split(separator: "\n") { #expect(line.count <= 100) }
            #expect(Help.overview.contains("  \(verb.name) "))
            for shell in Shell.allCases {
                #expect(shell.completionScript.contains(verb.name))
            }
        }
    }

    /// What people type who come from pm2, systemctl, docker or a release's own script.
    @Test(arguments: [
        "ps", "reload", "delete", "show", "info", "log", "tail", "save", "startup", "kill",
        "enable",
        "up", "down", "exec", "attach", "top", "scale", "eval", "inspect", "resurrect", "flush",
    ])
    func `another tool's word is answered with the command that does it here`(word: String) throws {
        #expect(Verb.named(word) == nil)
        let answer = try #require(ForeignWords.answer(to: word))
        let error = #expect(throws: UsageError.self) { try invocation(word) }
        #expect(error?.message == "unknown command \(word): \(answer)")
        // What it names is a command of ours.
        for part in answer.components(separatedBy: "`deployex ").dropFirst() {
            let name = String(part.prefix { $0.isLetter })
            #expect(Verb.named(name) != nil, "\(name)")
        }
    }

    @Test func `a group is those that the command can change, each by its name`() {
        func status(_ stopped: Bool...) -> StatusReport {
            let instances = stopped.enumerated().map {
                StatusReport.Instance(
                    number: $0.offset + 1, version: "1.0", isStoppedByOperator: $0.element)
            }
            return StatusReport(applications: [.init(name: "counter", instances: instances)])
        }
        let all = status(false, true, false)
        let restart = GroupOrder.members(of: all, for: .restart)
        #expect(restart.members.map(\.name) == ["counter-1", "counter-3"])
        #expect(
            restart.notes == ["counter-2 stays stopped: `deployex start counter-2` starts it"])
        #expect(GroupOrder.members(of: all, for: .start).members.map(\.name) == ["counter-2"])
        let stop = GroupOrder.members(of: all, for: .stop)
        #expect(stop.members.map(\.name) == ["counter-1", "counter-3"])
        #expect(stop.notes == ["counter-2 is stopped already"])
        var waiting = all
        waiting.applications[0].instances[0].version = nil
        let ready = GroupOrder.members(of: waiting, for: .restart)
        #expect(ready.members.map(\.name) == ["counter-3"])
        #expect(ready.notes.first == "counter-1 has no version yet")
    }

    @Test func `a bare start is one without configuration, whatever the cookie`() throws {
        #expect(try invocation().command.isEqual(to: Start(configurationFile: nil, isBare: true)))
        #expect(!Start.isConfigured([:]))
        #expect(!Start.isConfigured(["DEPLOYEX_ERLANG_COOKIE": "c", "HOME": "/root"]))
        #expect(!Start.isConfigured(["DEPLOYEX_MONITORED_APP_NAME": ""]))
        for name in ["MONITORED_APP_NAME", "MONITORED_APP_PORT", "CONFIG", "CLOUD_ENVIRONMENT"] {
            #expect(Start.isConfigured(["DEPLOYEX_\(name)": "x"]))
        }
    }
}
