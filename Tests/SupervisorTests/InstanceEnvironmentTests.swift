import Testing
import Transport

@testable import Supervisor

@Suite struct InstanceEnvironmentTests {
    private let first = InstanceName(app: "counter", number: 1)
    private let second = InstanceName(app: "counter", number: 2)
    private let third = InstanceName(app: "counter", number: 3)
    private let inherited = [
        "PATH": "/bin", "HOME": "/root", "AWS_SECRET_ACCESS_KEY": "k", "ERL_FLAGS": "+S 2",
        "AWS_ACCESS_KEY_ID": "i", "AWS_SESSION_TOKEN": "t", "CREDENTIALS_DIRECTORY": "/c",
        "RELEASE_COOKIE": "c", "RELEASE_NODE_SUFFIX": "-9", "RELEASE_TMP": "/tmp",
        "RELEASE_NODE": "other@host", "RELEASE_DISTRIBUTION": "none",
        "DEPLOYEX_ERLANG_COOKIE": "c", "DEPLOYEX_SECRET_KEY_BASE": "s",
        "DEPLOYEX_ADMIN_PASSWORD_HASH": "p", "DEPLOYEX_CLOUD_ENVIRONMENT": "prod",
        "SECRET_KEY_BASE": "the application's", "ELIXIR_ERL_OPTIONS": "-setcookie c",
        "NOTIFY_SOCKET": "/run/n", "LISTEN_FDS": "1", "LISTEN_ADDRESS": "0.0.0.0",
        "WATCHDOG_USEC": "1", "INVOCATION_ID": "i", "PORT": "80",
    ]

    @Test func `an instance gets its suffix and its port, and nothing that is deployex's`() {
        let environment = InstanceEnvironment(firstPort: 4000)
        #expect(
            environment.variables(of: third, inherited: inherited) == [
                "PATH": "/bin", "HOME": "/root", "ERL_FLAGS": "+S 2",
                "DEPLOYEX_CLOUD_ENVIRONMENT": "prod",
                "SECRET_KEY_BASE": "the application's", "LISTEN_ADDRESS": "0.0.0.0",
                "RELEASE_NODE_SUFFIX": "-3", "PORT": "4002", "RELEASE_NODE": "counter-3",
                "RELEASE_DISTRIBUTION": "sname",
            ])
    }

    @Test func `its node is named as deployex's is`() {
        let environment = InstanceEnvironment(
            firstPort: nil, naming: .long(host: "server.example.com"))
        #expect(
            environment.variables(of: second, inherited: inherited.filter { $0.key == "PATH" }) == [
                "PATH": "/bin", "RELEASE_NODE_SUFFIX": "-2",
                "RELEASE_NODE": "counter-2@server.example.com", "RELEASE_DISTRIBUTION": "name",
            ])
        let own = InstanceEnvironment(
            firstPort: nil, extra: ["RELEASE_NODE": "mine", "RELEASE_DISTRIBUTION": "none"])
        let variables = own.variables(of: first, inherited: inherited)
        #expect(variables["RELEASE_NODE"] == "mine")
        #expect(variables["RELEASE_DISTRIBUTION"] == "none")
    }

    @Test func `what is not text is kept or removed by its name as well`() {
        let inherited = ["PATH=\u{E9}", "RELEASE_X=\u{E9}", "DEPLOYEX_\u{E9}_TOKEN=1"].compactMap {
            ForeignVariable(entry: $0.unicodeScalars.map { UInt8($0.value) })
        }
        #expect(inherited.count == 3)
        #expect(InstanceEnvironment.foreign(inherited).map(\.name) == ["PATH"])
    }

    @Test func `extra variables win`() {
        let environment = InstanceEnvironment(
            firstPort: 4000, extra: ["PORT": "1", "RELEASE_COOKIE": "x"])
        #expect(
            environment.variables(of: first, inherited: ["RELEASE_COOKIE": "c"]) == [
                "PORT": "1", "RELEASE_COOKIE": "x", "RELEASE_NODE_SUFFIX": "-1",
                "RELEASE_NODE": "counter-1", "RELEASE_DISTRIBUTION": "sname",
            ])
    }

    @Test func `an instance gets deployex's cookie, unless it is configured with its own`() {
        let inherited = ["RELEASE_COOKIE": "another release's"]
        let environment = InstanceEnvironment(firstPort: nil, cookie: "deployex's")
        #expect(
            environment.variables(of: first, inherited: inherited)["RELEASE_COOKIE"]
                == "deployex's")
        let own = InstanceEnvironment(
            firstPort: nil, cookie: "deployex's", extra: ["RELEASE_COOKIE": "its own"])
        #expect(
            own.variables(of: first, inherited: inherited)["RELEASE_COOKIE"] == "its own")
        let none = InstanceEnvironment(firstPort: nil)
        #expect(none.variables(of: first, inherited: inherited)["RELEASE_COOKIE"] == nil)
    }

    @Test func `an instance with a user of its own knows who it is`() {
        let user = ProcessUser(
            name: "shop", id: 700, group: 701, groups: [701], home: "/srv/shop")
        let environment = InstanceEnvironment(firstPort: nil, user: user, extra: ["USER": "x"])
        let variables = environment.variables(
            of: first,
            inherited: ["HOME": "/root", "USER": "root", "LOGNAME": "root", "LANG": "C"])
        #expect(
            variables == [
                "HOME": "/srv/shop", "USER": "x", "LOGNAME": "shop", "LANG": "C",
                "RELEASE_NODE_SUFFIX": "-1", "RELEASE_NODE": "counter-1",
                "RELEASE_DISTRIBUTION": "sname",
            ])
    }

    @Test func `a port that does not exist is left out`() {
        #expect(InstanceEnvironment.port(first: 65535, instance: 1) == 65535)
        #expect(InstanceEnvironment.port(first: 65535, instance: 2) == nil)
        #expect(InstanceEnvironment.port(first: 1, instance: InstanceNumber(.max)) == nil)
        let variables = InstanceEnvironment(firstPort: 65535)
            .variables(of: second, inherited: ["PORT": "80"])
        #expect(variables["PORT"] == nil)
    }

    @Test func `without a first port the inherited one stays`() {
        let variables = InstanceEnvironment(firstPort: nil)
            .variables(of: first, inherited: ["PORT": "80"])
        #expect(variables["PORT"] == "80")
    }
}
