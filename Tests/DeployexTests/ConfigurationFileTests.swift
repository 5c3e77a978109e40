import Deployment
import Supervisor
import Testing

@testable import deployex

private func configuration(
    _ text: String, _ environment: [String: String] = [:]
) throws(UsageError) -> ServerConfiguration {
    try ServerConfiguration(
        file: ConfigurationFile(path: "/etc/d.json", bytes: Array(text.utf8)),
        environment: environment)
}

private func message(_ text: String, _ environment: [String: String] = [:]) -> String {
    do throws(UsageError) {
        _ = try configuration(text, environment)
        return "accepted"
    } catch {
        return error.message
    }
}

/// A file with one application whose members are `text`.
private func one(_ text: String) -> String {
    #"{"applications":[{"name":"counter"\#(text.isEmpty ? "" : ","+text)}]}"#
}

@Suite struct ConfigurationFileTests {
    @Test func `every key of the file comes to its place`() throws {
        let found = try configuration(
            """
            {
              "base_path": "/srv/state/", "log_path": "/srv/log", "cloud_environment": "prod",
              "cookie_file": "/etc/cookie",
              "public_keys": "/etc/keys.pub",
              "distribution": {"interface": "::1", "port_min": 9100, "port_max": 9105,
                               "tick_time": 15},
              "log": {"max_bytes": 1000000, "files": 4},
              "applications": [
                {"name": "counter", "replicas": 2, "first_port": 4000,
                 "environment": {"GREETING": "hello"},
                 "storage": {"adapter": "local", "path": "/srv/packages", "environment": "blue"},
                 "timings": {"poll_interval": 1, "stop_timeout": 2.5, "pre_command_timeout": 3,
                             "liveness_interval": 4, "liveness_timeout": 0.5,
                             "liveness_failures": 6},
                 "readiness": {"distribution": false, "alive_seconds": 7,
                               "http_path": "/health", "http_timeout": 8},
                 "rollback": {"timeout": 9, "crashes": 10},
                 "log": {"max_bytes": 0}},
                {"name": "other", "first_port": 4002, "storage": {"adapter": "local",
                 "path": "/srv/packages"}}
              ]
            }
            """)
        #expect(found.basePath == "/srv/state")
        #expect(found.logPath == "/srv/log")
        #expect(found.cookieFile == "/etc/cookie")
        #expect(found.publicKeys == PublicKeysFile("/etc/keys.pub"))
        #expect("\(found.listening.address(usesIPv6: false))" == "[::1]:0")
        #expect(found.listening.ports == 9100...9105)
        #expect(found.listening.tickTime == .seconds(15))
        #expect(found.applications.map(\.name) == ["counter", "other"])
        let counter = found.applications[0]
        #expect(counter.replicas == 2)
        #expect(counter.ports == 4000...4001)
        #expect(counter.variables == ["GREETING": "hello"])
        #expect(counter.storage.place == .folder("/srv/packages"))
        #expect(counter.storage.environment == "blue")
        #expect(counter.timings.pollInterval == .seconds(1))
        #expect(counter.timings.stopTimeout == .milliseconds(2500))
        #expect(counter.timings.preCommandTimeout == .seconds(3))
        #expect(counter.timings.livenessInterval == .seconds(4))
        #expect(counter.timings.livenessTimeout == .milliseconds(500))
        #expect(counter.timings.livenessFailures == 6)
        #expect(!counter.readiness.usesDistribution)
        #expect(counter.readiness.aliveFor == .seconds(7))
        #expect(counter.httpCheck == .init(path: "/health", timeout: .seconds(8)))
        #expect(counter.timings.readyTimeout == .seconds(9))
        #expect(counter.timings.maximumCrashes == 10)
        // Of logs, what an application does not say is what the host says.
        #expect(counter.logLimits == LogLimits(fileByteCount: 0, keptPieceCount: 4))
        let other = found.applications[1]
        #expect(other.replicas == 3)
        #expect(other.storage.environment == "prod")
        #expect(other.logLimits == LogLimits(fileByteCount: 1_000_000, keptPieceCount: 4))
        #expect(found.logLimits == other.logLimits)
    }

    @Test func `a file with one name is what the variables with that name are`() throws {
        let fromFile = try configuration(one(""), ["DEPLOYEX_LOG_PATH": "/tmp/log"])
        let fromVariables = try ServerConfiguration(environment: [
            "DEPLOYEX_MONITORED_APP_NAME": "counter", "DEPLOYEX_LOG_PATH": "/tmp/log",
        ])
        #expect(fromFile == fromVariables)
    }

    @Test func `the file wins over the host's variables, which fill in what it leaves out`() throws
    {
        let found = try configuration(
            #"{"base_path":"/a","applications":[{"name":"counter"}]}"#,
            [
                "DEPLOYEX_BASE_PATH": "/b", "DEPLOYEX_NET_TICKTIME": "7",
                "DEPLOYEX_DIST_PORT_MIN": "9200",
            ])
        #expect(found.basePath == "/a")
        #expect(found.listening.tickTime == .seconds(7))
        #expect(found.listening.ports == 9200...9200)
    }

    @Test(arguments: [
        ("[]", "an object is expected, not an array"),
        ("{", "it ends too early to be JSON"),
        ("{\n  \"log_path\": nope}", "no JSON at line 2, column 16"),
        ("{}", "applications: a list with one or more is missing"),
        (#"{"applications":[]}"#, "applications: a list with one application or more"),
        (#"{"applications":[1]}"#, "applications[0]: an object, not 1"),
        (#"{"applications":[{}]}"#, "applications[0].name is not set: name the application"),
        (#"{"loq_path":"/x","applications":[]}"#, "loq_path: there is no such key here, only "),
        (
            one(#""replcas":1"#),
            "applications[0].replcas: there is no such key here, only log, name,"
        ),
        (
            one(#""timings":{"poll":1}"#),
            "applications[0].timings.poll: there is no such key here, only poll_interval,"
        ),
        (one(#""timings.poll_interval":1"#), "applications[0].timings.poll_interval"),
        (one(#""base_path":"/x""#), "applications[0].base_path: there is no such key here"),
        (one(#""timings":5"#), "applications[0].timings: an object, not 5"),
        (one(#""name":"x""#), "applications[0].name: it stands there twice"),
        (
            one(#""replicas":"three""#),
            #"applications[0].replicas: a whole number from 1 to 100, not "three""#
        ),
        (
            one(#""replicas":1.5"#),
            "applications[0].replicas: a whole number from 1 to 100, not 1.5"
        ),
        (one(#""replicas":null"#), "a whole number from 1 to 100, not null"),
        (one(#""first_port":65535"#), "3 replicas need ports up to 65537, above 65535"),
        (one(#""readiness":{"distribution":"false"}"#), #"true or false, not "false""#),
        (one(#""environment":{"A":1}"#), "applications[0].environment.A: a string, not a number"),
        (one(#""environment":{"PORT":"1"}"#), "deployex itself sets this variable"),
        (one(#""environment":{"A=B":"1"}"#), "a variable's name is letters, digits and _"),
        (one(#""environment":["A"]"#), "applications[0].environment: an object, not an array"),
        (one(#""storage":{"path":"x"}"#), "applications[0].storage.path: an absolute path"),
        (
            one(#""storage":{"adapter":"s3"}"#),
            "applications[0].storage.region is not set"
        ),
        (
            #"{"applications":[{"name":"a"},{"name":"a","first_port":5000}]}"#,
            "applications[1].name: a is applications[0].name already"
        ),
        (
            #"{"applications":[{"name":"a"},{"name":"b","first_port":4002,"replicas":1}]}"#,
            "applications[1].first_port: b would take the ports 4002, and a 4000 to 4002"
        ),
    ])
    func `what is wrong is one line with the path of the key`(text: String, part: String) {
        let line = message(text)
        #expect(line.hasPrefix("/etc/d.json: "), "\(line)")
        #expect(line.contains(part), "\(line)")
        #expect(!line.contains("\n"))
    }

    @Test func `variables that mean one application are refused beside a file`() {
        for setting in Setting.all where setting.scopes == [.application] {
            guard let variable = setting.variable else { continue }
            let line = message(one(""), [variable: "1"])
            #expect(line.hasPrefix("\(variable) is set beside the configuration file /etc/d.json"))
            #expect(message(one(""), [variable: ""]) == "accepted")
        }
    }

    @Test func `variables and keys are each of one setting`() {
        let variables = Setting.all.compactMap(\.variable)
        #expect(Set(variables).count == variables.count)
        #expect(Set(Setting.all.map(\.key)).count == Setting.all.count)
    }
}

@Suite struct CookieOfApplicationTests {
    private func warnings(_ members: String) throws -> [String] {
        try configuration(
            #"{"applications":[{"name":"counter","first_port":4000,"replicas":1},"#
                + #"{"name":"shop","first_port":4100\#(members)}]}"#
        ).strangeCookies(own: "deployex's")
    }

    @Test func `a cookie with which deployex can never connect is warned of`() throws {
        let other = #","environment":{"RELEASE_COOKIE":"another"}"#
        #expect(
            try warnings(other) == [
                "applications[1].environment: RELEASE_COOKIE is not deployex's cookie, so that "
                    + "deployex cannot connect to shop, which never is ready: leave it out, or set "
                    + "applications[1].readiness.distribution to false"
            ])
        #expect(try warnings(other + #","readiness":{"distribution":false}"#) == [])
        #expect(try warnings(#","environment":{"RELEASE_COOKIE":"deployex's"}"#) == [])
        #expect(try warnings("") == [])
    }
}
