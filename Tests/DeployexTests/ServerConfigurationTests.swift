import AWS
import Dashboard
import Deployment
import Foundation
import HTTP
import Supervisor
import TestKit
import Testing
import Transport

@testable import deployex

private func message(_ environment: [String: String]) -> String? {
    do throws(UsageError) {
        _ = try ServerConfiguration(environment: environment)
        return nil
    } catch {
        return error.message
    }
}

private func listening(_ environment: [String: String]) throws -> ListeningOptions {
    try ServerConfiguration(environment: environment).listening
}

@Suite struct ServerConfigurationTests {
    @Test func `without variables everything is local, with the original's defaults`() throws {
        let configuration = try ServerConfiguration(environment: [:])
        #expect(configuration.basePath == "/tmp/deployex/varlib")
        #expect(configuration.logPath == "/tmp/myphoenixapp")
        #expect(!configuration.keepsOwnLog)
        #expect(configuration.applications.count == 1)
        let application = configuration.applications[0]
        #expect(application.name == "myphoenixapp")
        #expect(application.replicas == 3)
        #expect(application.firstPort == 4000)
        #expect(application.storage.place == .folder("/tmp/myphoenixapp"))
        #expect(application.storage.environment == "local")
        #expect(application.timings.pollInterval == .seconds(5))
        #expect(application.timings.readyTimeout == .seconds(600))
        #expect(application.timings.maximumCrashes == 3)
        #expect(application.timings.livenessFailures == 10)
        #expect(application.readiness.usesDistribution)
        #expect(application.httpCheck == nil)
    }

    @Test func `listening follows the variables, then the kernel's switches`() throws {
        let plain = try listening([:])
        #expect(plain.ports == nil)
        #expect(plain.tickTime == .seconds(60))
        #expect("\(plain.address(usesIPv6: false))" == "0.0.0.0:0")
        #expect("\(plain.address(usesIPv6: true))" == "[::]:0")
        let switches = """
            -setcookie c -kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105 \
            inet_dist_use_interface '{127,0,0,1}' -kernel net_ticktime 5 +S 4
            """
        let fromSwitches = try listening(["ELIXIR_ERL_OPTIONS": switches])
        #expect(fromSwitches.ports == 9100...9105)
        #expect(fromSwitches.tickTime == .seconds(5))
        #expect("\(fromSwitches.address(usesIPv6: true))" == "127.0.0.1:0")
        let both = try listening([
            "ELIXIR_ERL_OPTIONS": switches, "DEPLOYEX_DIST_INTERFACE": "::1",
            "DEPLOYEX_DIST_PORT_MIN": "9200", "DEPLOYEX_DIST_PORT_MAX": "9201",
            "DEPLOYEX_NET_TICKTIME": "1",
        ])
        #expect(both.ports == 9200...9201)
        #expect(both.tickTime == .seconds(1))
        #expect("\(both.address(usesIPv6: false))" == "[::1]:0")
        #expect(try listening(["DEPLOYEX_DIST_PORT_MIN": "9200"]).ports == 9200...9200)
        let six = "-kernel inet_dist_use_interface {0,0,0,0,0,0,0,1}"
        #expect(try listening(["ELIXIR_ERL_OPTIONS": six]).interface == both.interface)
    }

    @Test func `other hosts are answered where TLS, an interface or a network is named`() throws {
        #expect(try listening([:]).admittedPeers(usesTLS: false) == .thisHost)
        #expect(try listening([:]).admittedPeers(usesTLS: true) == .everybody)
        let interface = try listening(["DEPLOYEX_DIST_INTERFACE": "0.0.0.0"])
        #expect(interface.admittedPeers(usesTLS: false) == .everybody)
        let switches = "-kernel inet_dist_use_interface {10,0,0,1}"
        #expect(
            try listening(["ELIXIR_ERL_OPTIONS": switches]).admittedPeers(usesTLS: false)
                == .everybody)
        let networks = try listening([
            "DEPLOYEX_DIST_NETWORKS": "10.0.0.0/8, fd00::/8", "DEPLOYEX_DIST_INTERFACE": "0.0.0.0",
        ])
        let named = ["10.0.0.0/8", "fd00::/8"].compactMap(IPNetwork.init)
        for usesTLS in [false, true] {
            #expect(networks.admittedPeers(usesTLS: usesTLS) == .thisHost(and: named))
        }
        #expect(
            throws: UsageError(
                "DEPLOYEX_DIST_NETWORKS=10.0.0.1/8: networks such as 10.0.0.0/8 and fd00::/8; "
                    + "10.0.0.1/8 is none", "start")
        ) { try listening(["DEPLOYEX_DIST_NETWORKS": "10.0.0.1/8"]) }
    }

    @Test func `an EPMD of ours answers whom the node answers`() throws {
        func peers(_ environment: [String: String]) throws -> AdmittedPeers {
            try EPMDAccess.admittedPeers(environment)
        }
        #expect(try peers([:]) == .thisHost)
        #expect(try peers(["ERL_EPMD_ADDRESS": "10.0.0.1"]) == .everybody)
        #expect(try peers(EPMDAccess.variables([:], admitting: .thisHost)) == .thisHost)
        #expect(
            try peers(EPMDAccess.variables(["A": "B"], admitting: .everybody))
                == .thisHost(and: IPNetwork.all))
        let ten = try #require(IPNetwork("10.0.0.0/8"))
        #expect(
            try peers(EPMDAccess.variables([:], admitting: .thisHost(and: [ten])))
                == .thisHost(and: [ten]))
    }

    @Test func `a cloud environment moves everything to its place on a server`() throws {
        let configuration = try ServerConfiguration(environment: [
            "DEPLOYEX_CLOUD_ENVIRONMENT": "prod", "DEPLOYEX_MONITORED_APP_NAME": "calori",
            "DEPLOYEX_STORAGE_ADAPTER": "local", "DEPLOYEX_STORAGE_PATH": "/srv/packages/",
            "DEPLOYEX_MONITORED_REPLICAS": "2", "DEPLOYEX_STOP_TIMEOUT": "0.5",
        ])
        #expect(configuration.basePath == "/var/lib/deployex")
        #expect(configuration.logPath == "/var/log")
        #expect(configuration.keepsOwnLog)
        let application = configuration.applications[0]
        #expect(application.storage.place == .folder("/srv/packages"))
        #expect(application.storage.environment == "prod")
        #expect(application.replicas == 2)
        #expect(application.timings.stopTimeout == .milliseconds(500))
    }

    @Test func `on a server nothing runs as root unless that is said`() throws {
        func problem(_ variables: [String: String], own: UInt32, isProduction: Bool) throws
            -> String?
        {
            var variables = variables
            variables["DEPLOYEX_MONITORED_APP_NAME"] = "calori"
            let application = try ServerConfiguration(environment: variables).applications[0]
            do throws(UsageError) {
                try application.checkRights(
                    own: own, hardLimit: 1 << 20, isProduction: isProduction)
                return nil
            } catch {
                return error.message
            }
        }
        let refusal = try #require(try problem([:], own: 0, isProduction: true))
        #expect(refusal.contains("calori would run as root"))
        #expect(refusal.contains("DEPLOYEX_MONITORED_APP_USER"))
        #expect(try problem([:], own: 0, isProduction: false) == nil)
        #expect(try problem([:], own: 1000, isProduction: true) == nil)
        for user in ["root", "daemon"] {
            let variables = ["DEPLOYEX_MONITORED_APP_USER": user]
            #expect(try problem(variables, own: 0, isProduction: true) == nil)
        }
    }

    @Test func `health, rollback and logs have variables of their own`() throws {
        let configuration = try ServerConfiguration(environment: [
            "DEPLOYEX_ROLLBACK_CRASHES": "5", "DEPLOYEX_LIVENESS_INTERVAL": "2",
            "DEPLOYEX_LIVENESS_TIMEOUT": "0.5", "DEPLOYEX_LIVENESS_FAILURES": "3",
            "DEPLOYEX_READINESS_HTTP_PATH": "/health?deep=1",
            "DEPLOYEX_READINESS_HTTP_TIMEOUT": "1.5", "DEPLOYEX_DISTRIBUTION": "false",
            "DEPLOYEX_READINESS_ALIVE": "20", "DEPLOYEX_PRE_COMMAND_TIMEOUT": "60",
            "DEPLOYEX_LOG_MAX_BYTES": "0", "DEPLOYEX_LOG_FILES": "7",
            "DEPLOYEX_HOT_UPGRADE": "auto",
        ])
        let application = configuration.applications[0]
        #expect(application.timings.maximumCrashes == 5)
        #expect(application.hotUpgrade == .auto)
        #expect(try ServerConfiguration(environment: [:]).applications[0].hotUpgrade == .appup)
        #expect(application.timings.livenessInterval == .seconds(2))
        #expect(application.timings.livenessTimeout == .milliseconds(500))
        #expect(application.timings.livenessFailures == 3)
        #expect(application.timings.preCommandTimeout == .seconds(60))
        #expect(
            application.httpCheck
                == .init(path: "/health?deep=1", timeout: .milliseconds(1500)))
        #expect(!application.readiness.usesDistribution)
        #expect(application.readiness.aliveFor == .seconds(20))
        #expect(application.logLimits == LogLimits(fileByteCount: 0, keptPieceCount: 7))
        #expect(configuration.logLimits == application.logLimits)
    }

    @Test(arguments: [
        (["DEPLOYEX_MONITORED_REPLICAS": "0"], "DEPLOYEX_MONITORED_REPLICAS=0"),
        (["DEPLOYEX_MONITORED_REPLICAS": "three"], "DEPLOYEX_MONITORED_REPLICAS=three"),
        (["DEPLOYEX_MONITORED_APP_PORT": "65535"], "ports up to 65537"),
        (["DEPLOYEX_MONITORED_APP_NAME": "../etc"], "DEPLOYEX_MONITORED_APP_NAME=../etc"),
        (["DEPLOYEX_MONITORED_APP_NAME": "my-app"], "letters, digits and _ only"),
        (["DEPLOYEX_CLOUD_ENVIRONMENT": "prod"], "DEPLOYEX_MONITORED_APP_NAME is not set"),
        (["DEPLOYEX_BASE_PATH": "state"], "DEPLOYEX_BASE_PATH=state"),
        (["DEPLOYEX_POLL_INTERVAL": "nan"], "DEPLOYEX_POLL_INTERVAL=nan"),
        (["DEPLOYEX_DIST_INTERFACE": "eth0"], "DEPLOYEX_DIST_INTERFACE=eth0"),
        (["DEPLOYEX_DIST_PORT_MIN": "0"], "DEPLOYEX_DIST_PORT_MIN=0: a whole number from 1 to"),
        (["DEPLOYEX_DIST_PORT_MAX": "9100"], "needs DEPLOYEX_DIST_PORT_MIN"),
        (
            ["DEPLOYEX_DIST_PORT_MIN": "9101", "DEPLOYEX_DIST_PORT_MAX": "9100"],
            "DEPLOYEX_DIST_PORT_MIN=9101 is above DEPLOYEX_DIST_PORT_MAX=9100"
        ),
        (["DEPLOYEX_NET_TICKTIME": "0.5"], "DEPLOYEX_NET_TICKTIME=0.5"),
        (
            ["ELIXIR_ERL_OPTIONS": "-kernel net_ticktime 0"],
            "-kernel net_ticktime=0: a whole number from 1"
        ),
        (["DEPLOYEX_DISTRIBUTION": "no"], "DEPLOYEX_DISTRIBUTION=no: true or false"),
        (["DEPLOYEX_HOT_UPGRADE": "on"], "DEPLOYEX_HOT_UPGRADE=on: appup, auto or off"),
        (["DEPLOYEX_LIVENESS_FAILURES": "0"], "DEPLOYEX_LIVENESS_FAILURES=0: a whole number"),
        (["DEPLOYEX_READINESS_HTTP_PATH": "health"], "a path such as /health"),
        (
            ["DEPLOYEX_READINESS_HTTP_TIMEOUT": "1"],
            "DEPLOYEX_READINESS_HTTP_TIMEOUT needs DEPLOYEX_READINESS_HTTP_PATH beside it"
        ),
        (["DEPLOYEX_LOG_FILES": "0"], "DEPLOYEX_LOG_FILES=0"),
        (["DEPLOYEX_LOG_TIMESTAMPS": "yes"], "DEPLOYEX_LOG_TIMESTAMPS=yes"),
        (
            ["DEPLOYEX_LOG_MAX_BYTES": "1000"],
            "DEPLOYEX_LOG_MAX_BYTES=1000: 0 for never, or bytes from 65536"
        ),
        (["DEPLOYEX_COOKIE_FILE": "cookie"], "DEPLOYEX_COOKIE_FILE: an absolute path"),
        (["DEPLOYEX_STORAGE_ADAPTER": "ftp"], "DEPLOYEX_STORAGE_ADAPTER=ftp: local or s3"),
        (["DEPLOYEX_STORAGE_ADAPTER": "s3"], "AWS_REGION is not set"),
        (["DEPLOYEX_S3_BUCKET": "a-bucket"], "DEPLOYEX_S3_BUCKET is for s3"),
        (
            ["DEPLOYEX_STORAGE_ADAPTER": "s3", "DEPLOYEX_STORAGE_PATH": "/srv"],
            "DEPLOYEX_STORAGE_PATH is for a folder"
        ),
    ])
    func `a wrong value is one line that names the variable`(
        environment: [String: String], part: String
    ) {
        let text = message(environment)
        #expect(text?.contains(part) == true, "\(text ?? "accepted")")
        #expect(text?.contains("\n") == false)
    }

    @Test func `a command that starts a release is a program in it, and its arguments`() throws {
        let name = "DEPLOYEX_MONITORED_APP_START_COMMAND"
        let configured = try ServerConfiguration(environment: [name: "bin/shop 'a b' foreground"])
        #expect(
            configured.applications[0].startCommand
                == StartCommand(program: "bin/shop", arguments: ["a b", "foreground"]))
        for text in ["/bin/sh", "../shop", "bin/../../shop", "'bin/shop", " ", "bin/"] {
            #expect(
                message([name: text])
                    == "\(name): a program in the release and its arguments, as bin/app foreground, "
                    + "not what it is set to")
        }
        let file = try ConfigurationFile(
            path: "/d.json",
            bytes: Array(
                #"{"applications":[{"name":"a","start_command":["bin/a","b c"]}]}"#.utf8))
        #expect(
            try ServerConfiguration(file: file, environment: [:]).applications[0].startCommand
                == StartCommand(program: "bin/a", arguments: ["b c"]))
    }

    @Test func `with a cloud environment releases come from the bucket of the application`() throws
    {
        let found = try ServerConfiguration(environment: [
            "DEPLOYEX_CLOUD_ENVIRONMENT": "prod", "DEPLOYEX_MONITORED_APP_NAME": "my_app",
            "AWS_DEFAULT_REGION": "sa-east-1",
        ]).applications[0].storage
        #expect(
            found.place == .bucket(S3Bucket(name: "my-app-prod-distribution", region: "sa-east-1")))
        #expect(found.environment == "prod")
        // In a file, what the host says of S3 holds for each application, and AWS's variables do.
        let file = try ConfigurationFile(
            path: "/d.json",
            bytes: Array(
                #"""
                {"cloud_environment": "prod", "storage": {"endpoint": "http://127.0.0.1:9000"},
                 "applications": [{"name": "a", "first_port": 1},
                   {"name": "b", "first_port": 5,
                    "storage": {"bucket": "else.where", "region": "eu-west-1"}}]}
                """#.utf8))
        let several = try ServerConfiguration(file: file, environment: ["AWS_REGION": "us-east-2"])
            .applications.map(\.storage.place)
        let endpoint = try HTTPURL("http://127.0.0.1:9000")
        #expect(
            several == [
                .bucket(
                    S3Bucket(name: "a-prod-distribution", region: "us-east-2", endpoint: endpoint)),
                .bucket(S3Bucket(name: "else.where", region: "eu-west-1", endpoint: endpoint)),
            ])
    }

    @Test func `secrets are AWS's where releases are, or where that is said`() throws {
        let bucket = [
            "DEPLOYEX_CLOUD_ENVIRONMENT": "prod", "DEPLOYEX_MONITORED_APP_NAME": "my_app",
            "AWS_REGION": "sa-east-1",
        ]
        let usual = try ServerConfiguration(environment: bucket).secrets
        #expect(usual.name == "deployex-my-app-prod-secrets" && usual.region == "sa-east-1")
        #expect(!usual.isConfigured)
        let none = bucket.merging(["DEPLOYEX_SECRETS_ADAPTER": "env"]) { $1 }
        #expect(try ServerConfiguration(environment: none).secrets.name == nil)
        #expect(try ServerConfiguration(environment: [:]).secrets.name == nil)
        let named = try ServerConfiguration(environment: [
            "DEPLOYEX_SECRETS_ADAPTER": "aws", "DEPLOYEX_SECRETS_NAME": "team/deployex",
            "AWS_REGION": "us-east-1",
        ]).secrets
        #expect(named.name == "team/deployex" && named.isConfigured)
        #expect(
            message(["DEPLOYEX_SECRETS_ADAPTER": "aws"])?.hasPrefix("AWS_REGION is not set") == true
        )
        #expect(
            message(["DEPLOYEX_SECRETS_NAME": "x"])?.hasPrefix("DEPLOYEX_SECRETS_NAME is for aws")
                == true)
    }

    @Test func `an empty variable is an unset one`() throws {
        let configuration = try ServerConfiguration(environment: [
            "DEPLOYEX_MONITORED_APP_PORT": "", "DEPLOYEX_CLOUD_ENVIRONMENT": "",
        ])
        #expect(configuration.applications[0].firstPort == 4000)
    }

    @Test func `trusted users are names and numbers, with an account or without`() throws {
        let users = try ServerConfiguration(
            environment: ["DEPLOYEX_TRUSTED_USERS": "root, 3111222333"]
        ).trustedUsers
        #expect(users.others == [0, 3_111_222_333])
        #expect(
            message(["DEPLOYEX_TRUSTED_USERS": "no-such-user"])?.contains("no-such-user") == true)
    }

    @Test func `passwords of the dashboard are hashes, in the variable or in a file`() throws {
        let hash =
            "scrypt:14:8:1:000102030405060708090a0b0c0d0e0f:"
            + "004ea36ce6db93f9145fb6f95c4960d20c8126d4f6e366f168e8b086cdbefd59"
        func access(_ variables: [String: String]) throws -> DashboardAccess.Settings {
            try ServerConfiguration(
                environment: variables.merging(["DEPLOYEX_MONITORED_APP_NAME": "counter"]) { $1 }
            ).dashboard.readAccess()
        }
        #expect(try access([:]).secrets.administrator == nil)
        #expect(try access([:]).terminals == .onThisHost)
        let found = try access([
            "DEPLOYEX_ADMIN_PASSWORD_HASH": hash, "DEPLOYEX_PHX_PORT": "6001",
            "DEPLOYEX_HTTP_ADDRESS": "0.0.0.0", "DEPLOYEX_SECRET_KEY_BASE": "anything",
        ])
        #expect(found.secrets.administrator == PasswordHash(hash))
        #expect(found.port == 6001 && found.terminals == .nowhere && found.secrets.viewer == nil)
        #expect(
            try access(["DEPLOYEX_HTTP_ADDRESS": "0.0.0.0", "DEPLOYEX_TERMINAL": "true"])
                .terminals == .everywhere)
        let folder = TemporaryFolder()
        let file = folder.path + "/hash"
        try (hash + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o600)
        #expect(
            try access(["DEPLOYEX_VIEWER_PASSWORD_HASH_FILE": file]).secrets.viewer
                == PasswordHash(hash))
        chmod(file, 0o644)
        for variables in [
            ["DEPLOYEX_VIEWER_PASSWORD_HASH_FILE": file],
            ["DEPLOYEX_ADMIN_PASSWORD_HASH": "a long password"],
            ["DEPLOYEX_ADMIN_PASSWORD_HASH": "scrypt:30:8:5:00:00"],
        ] {
            do throws(UsageError) {
                _ = try ServerConfiguration(environment: variables).dashboard.readAccess()
                Issue.record("\(variables) is accepted")
            } catch {
                #expect(error.message.hasPrefix(variables.keys.first ?? "-"))
                #expect(!error.message.contains("a long password"))
            }
        }
    }

    @Test func `the dashboard's address is as users type it`() throws {
        for (variables, url) in [
            ([:], "http://localhost:5001"),
            (
                ["DEPLOYEX_PHX_HOST": "example.org", "DEPLOYEX_PHX_PORT": "80"],
                "http://example.org"
            ),
            (["DEPLOYEX_HTTP_CERTIFICATE": "/a.pem"], "https://localhost:5001"),
            (
                ["DEPLOYEX_HTTP_CERTIFICATE": "/a.pem", "DEPLOYEX_PHX_PORT": "443"],
                "https://localhost"
            ),
        ] as [([String: String], String)] {
            #expect(try ServerConfiguration(environment: variables).dashboard.url == url)
        }
    }

    /// For each setting a value that is wrong there, as text and as JSON; `nil` where nothing is.
    private static let wrong: [String: (text: String, json: String)?] = [
        "base_path": ("varlib", #""varlib""#), "log_path": ("../log", #""../log""#),
        "cloud_environment": ("a/b", "7"), "cookie_file": ("kept-secret", #""kept-secret""#),
        "public_keys": ("keys.pub", #"["/etc/keys.pub"]"#),
        "trusted_users": ("nobody-has-this-name", #"["nobody-has-this-name"]"#),
        "distribution.interface": ("here", #""here""#),
        "distribution.networks": ("10.0.0.0/99", #"["10.0.0.0/99"]"#),
        "distribution.port_min": ("70000", "70000"), "distribution.port_max": ("0", "0"),
        "distribution.tick_time": ("0", "0"), "log.max_bytes": ("-1", "7"),
        "log.files": ("0", #""x""#), "log.timestamps": ("yes", "1"), "name": ("my-app", "1"),
        "user": ("nobody-has-this-name", "[]"), "replicas": ("101", "0"),
        "first_port": ("-1", "65536"), "listen": ("http=0.0.0.0:0", #"[{"name": "http"}]"#),
        "environment": ("", #"{"TOKEN": {"kept": "secret"}}"#),
        "max_open_files": ("1", "1"),
        "start_command": ("/bin/sh --token kept-secret", #""/bin/sh --token kept-secret""#),
        "storage.adapter": ("gcs", #""gcs""#), "storage.path": ("a", "1"),
        "secrets.adapter": ("vault", #""vault""#), "secrets.name": ("a b", "7"),
        "storage.bucket": ("No", "7"), "storage.region": ("eu west", #""../x""#),
        "storage.endpoint": ("nowhere", #""nowhere""#),
        "storage.environment": ("", #""../x""#), "timings.poll_interval": ("0", "0"),
        "timings.drain_timeout": ("0.01", "-1"), "timings.stop_timeout": ("x", #""x""#),
        "timings.pre_command_timeout": ("1h", "-1"),
        "timings.liveness_interval": ("0", "0"), "timings.liveness_timeout": ("0", "true"),
        "timings.liveness_failures": ("0", "0"), "readiness.distribution": ("yes", #""true""#),
        "readiness.alive_seconds": ("-1", "-1"), "readiness.applications": nil,
        "readiness.http_path": ("health?token=kept-secret", #""health?token=kept-secret""#),
        "readiness.http_timeout": ("0", "0"), "rollback.timeout": ("", "null"),
        "hot_upgrade": ("always", "true"),
        "rollback.crashes": ("1001", "-1"), "dashboard.server": ("yes", "1"),
        "dashboard.address": ("here", #""here""#), "dashboard.port": ("0", "70000"),
        "dashboard.host": ("a b", "1"), "dashboard.api_token": nil,
        "dashboard.api_token_file": ("kept-secret", #""kept-secret""#),
        "thresholds.memory.warn": ("", "0"), "thresholds.memory.restart": ("", "101"),
        "thresholds.atoms.warn": ("", "101"), "thresholds.atoms.restart": ("", "1"),
        "thresholds.processes.warn": ("", #""75""#), "thresholds.processes.restart": ("", "true"),
        "thresholds.ports.warn": ("", "7.5"), "thresholds.ports.restart": ("", "null"),
        "dashboard.admin_password_hash": nil, "dashboard.viewer_password_hash": nil,
        "dashboard.admin_password_hash_file": ("kept-secret", #""kept-secret""#),
        "dashboard.viewer_password_hash_file": ("kept-secret", #""kept-secret""#),
        "dashboard.terminal": ("yes", "1"), "dashboard.certificate": ("a.crt", "1"),
        "dashboard.key": ("a.key", "1"), "dashboard.secret_key_base": nil,
        "notifications.webhook_url": nil, "notifications.slack_url": nil,
        "notifications.webhook_url_file": ("kept-secret", #""kept-secret""#),
        "notifications.webhook_secret": nil, "notifications.pagerduty_token": nil,
        "notifications.webhook_secret_file": ("kept-secret", #""kept-secret""#),
        "notifications.slack_url_file": ("kept-secret", #""kept-secret""#),
        "notifications.pagerduty_token_file": ("kept-secret", #""kept-secret""#),
        "notifications.pagerduty_url": ("nowhere", #""nowhere""#),
    ]

    private static let ofS3 = ["storage.bucket", "storage.region", "storage.endpoint"]

    @Test(arguments: Setting.all.map(\.key))
    func `a wrong value names its variable or key, and is not shown if it may be secret`(
        key: String
    ) throws {
        let setting = try #require(Setting.all.first { $0.key == key })
        // A new setting needs a row.
        #expect(Self.wrong.keys.contains(key))
        guard let (text, json) = Self.wrong[key].flatMap({ $0 }) else { return }
        if let variable = setting.variable, !text.isEmpty {
            var environment = [variable: text]
            if key == "readiness.http_timeout" {
                environment["DEPLOYEX_READINESS_HTTP_PATH"] = "/health"
            }
            if key == "secrets.name" {
                environment["DEPLOYEX_SECRETS_ADAPTER"] = "aws"
                environment["AWS_REGION"] = "eu-central-1"
            }
            if Self.ofS3.contains(key) { environment["DEPLOYEX_STORAGE_ADAPTER"] = "s3" }
            if key == "distribution.port_max" { environment["DEPLOYEX_DIST_PORT_MIN"] = "1" }
            let told = try #require(message(environment), "\(variable)=\(text) is accepted")
            #expect(told.hasPrefix(variable), "\(told)")
            #expect(told.contains(text) != setting.mayBeSecret, "\(told)")
            #expect(!told.contains("kept"), "\(told)")
        }
        let object = key.split(separator: ".").reversed().reduce(json) { inner, part in
            #"{"\#(part)": \#(inner)}"#
        }
        var members = object.dropFirst().dropLast()
        if key == "readiness.http_timeout" {
            members = #""readiness": {"http_path": "/health", "http_timeout": 0}"#
        }
        if Self.ofS3.contains(key) {
            members = #""storage": {"adapter": "s3", "\#(key.dropFirst(8))": \#(json)}"#[...]
        }
        if key == "secrets.name" {
            members = #""storage": {"region": "a-1"}, "secrets": {"adapter": "aws", "name": 7}"#
        }
        let isHost = setting.scopes.contains(.host) && !Self.ofS3.contains(key)
        let name = key == "name" ? "" : #""name": "counter""#
        let application = [name, isHost ? "" : String(members)].filter { !$0.isEmpty }
            .joined(separator: ", ")
        let whole =
            "{" + (isHost ? members + ", " : "") + #""applications": [{\#(application)}]}"#
        let error = #expect(throws: UsageError.self) {
            let file = try ConfigurationFile(path: "/d.json", bytes: Array(whole.utf8))
            _ = try ServerConfiguration(file: file, environment: [:])
        }
        let refusal = error?.message ?? ""
        let place = isHost ? key : "applications[0].\(key)"
        #expect(refusal.hasPrefix("/d.json: \(place)"), "\(refusal)")
        #expect(!refusal.contains("kept"), "\(refusal)")
    }

    @Test func `a secret is one by its variable and by its key, wherever that stands`() {
        for place in [
            "DEPLOYEX_COOKIE_FILE", "cookie_file", "applications[3].environment.TOKEN",
            "applications[12].start_command", "DEPLOYEX_READINESS_HTTP_PATH",
        ] { #expect(Setting.mayBeSecret(place), "\(place)") }
        for place in ["DEPLOYEX_BASE_PATH", "applications[0].name", "environments", ""] {
            #expect(!Setting.mayBeSecret(place), "\(place)")
        }
    }

    @Test(arguments: [
        ("DEPLOYEX_MONITORED_APP_NAMES", "did you mean DEPLOYEX_MONITORED_APP_NAME?"),
        ("DEPLOYX_BASE_PATH", "did you mean DEPLOYEX_BASE_PATH?"),
        ("deployex_base_path", "did you mean DEPLOYEX_BASE_PATH?"),
        ("DEPLOYEX_REPLICAS", "did you mean DEPLOYEX_MONITORED_REPLICAS?"),
        ("DEPLOYEX_SOMETHING_ELSE", "it changes nothing"),
    ])
    func `a variable that deployex does not know is warned of, without its value`(
        name: String, question: String
    ) {
        #expect(
            UnknownVariables.warnings([name: "kept-secret", "PATH": "/bin", "DEPLOY_KEY": "k"])
                == ["\(name) is set, which deployex does not know: \(question)"])
        #expect(UnknownVariables.warnings([name: ""]) == [])
    }

    @Test func `variables that mean something are not warned of`() {
        let known = Dictionary(uniqueKeysWithValues: UnknownVariables.known.map { ($0, "x") })
        #expect(UnknownVariables.warnings(known) == [])
        let others = ["HOME": "/", "DEPLOYMENT_TARGET": "x", "DEPLOY_ENV": "x", "": "x"]
        #expect(UnknownVariables.warnings(others) == [])
    }
}
