import Supervisor
import Testing
import Transport

@testable import deployex

@Suite struct ShellVariablesTests {
    @Test
    func `the remote shell gets the instance's variables and the cookie, and no other release's`() {
        let variables = ShellVariables.of(
            [
                "TERM": "xterm", "RELEASE_ROOT": "/elsewhere", "DEPLOYEX_ERLANG_COOKIE": "c",
                "ELIXIR_ERL_OPTIONS": "-proto_dist inet_tls", "GREETING": "mine",
            ],
            instance: ["RELEASE_NODE_SUFFIX": "-2", "GREETING": "its"], cookie: "secret")
        #expect(
            variables == [
                "TERM": "xterm", "ELIXIR_ERL_OPTIONS": "-proto_dist inet_tls",
                "RELEASE_NODE_SUFFIX": "-2", "GREETING": "its", "RELEASE_COOKIE": "secret",
            ])
    }

    @Test func `another user's shell gets the terminal's variables of ours, and its own`() {
        let shop = ProcessUser(
            name: "shop", id: 1001, group: 1001, groups: [1001], home: "/srv/shop")
        let shared = [
            "TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1", "LANG": "C.UTF-8",
            "LC_ALL": "C", "TZ": "UTC", "PATH": "/bin", "ERL_EPMD_PORT": "4370",
            "ELIXIR_ERL_OPTIONS": "-proto_dist inet_tls",
        ]
        let own = [
            "SSH_AUTH_SOCK": "/tmp/agent", "SSH_CONNECTION": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "SUDO_USER": "admin", "HOME": "/root", "USER": "root", "LOGNAME": "root",
            "XDG_RUNTIME_DIR": "/run/user/0", "ERL_FLAGS": "-setcookie c", "LCX": "d",
            "DEPLOYEX_ERLANG_COOKIE": "e",
        ]
        let variables = ShellVariables.of(
            shared.merging(own) { $1 }, instance: ["RELEASE_NODE_SUFFIX": "-1"], cookie: "secret",
            user: shop)
        let its = [
            "HOME": "/srv/shop", "USER": "shop", "LOGNAME": "shop", "RELEASE_NODE_SUFFIX": "-1",
            "RELEASE_COOKIE": "secret",
        ]
        #expect(variables == shared.merging(its) { $1 })
    }

    @Test(arguments: [
        (nil, "-proto_dist inet_tls -ssl_dist_optfile /tmp/a.conf"),
        ("+S 1", "+S 1 -proto_dist inet_tls -ssl_dist_optfile /tmp/a.conf"),
        (
            "-proto_dist inet_tls -ssl_dist_optfile /tmp/own.conf",
            "-proto_dist inet_tls -ssl_dist_optfile /tmp/own.conf"
        ),
    ])
    func `TLS that was asked for by arguments is the shell's as well`(
        own: String?, expected: String
    ) {
        let variables = ShellVariables.of(
            own.map { ["ELIXIR_ERL_OPTIONS": $0] } ?? [:], instance: [:], cookie: "secret",
            tlsOptionsFile: "/tmp/a.conf")
        #expect(variables["ELIXIR_ERL_OPTIONS"] == expected)
    }

    @Test func `the shell finds an options file that was named by a relative path`() {
        let variables = ShellVariables.of(
            [:], instance: [:], cookie: "secret", tlsOptionsFile: "tls/a.conf", folder: "/srv")
        #expect(
            variables["ELIXIR_ERL_OPTIONS"]
                == "-proto_dist inet_tls -ssl_dist_optfile /srv/tls/a.conf")
    }
}
