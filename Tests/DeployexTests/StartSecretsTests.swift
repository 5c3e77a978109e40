import Glibc
import TestKit
import Testing
import Transport

@testable import deployex

/// Secrets of systemd's folder beside those that are given another way.
@Suite struct StartSecretsTests {
    private let folder = TemporaryFolder("secrets")

    private func found(
        _ environment: [String: String], cookie: String? = nil, file: String? = nil
    ) async throws -> [String: String] {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        for name in StartSecrets.names { folder.write("of systemd\n", name, mode: 0o600) }
        var options = DistributionOptions()
        options.cookie = cookie
        let path = try file.map { text in
            try Files.write(Array(text.utf8), folder("deployex.json"))
            return folder("deployex.json")
        }
        let variables = ["CREDENTIALS_DIRECTORY": folder.path].merging(environment) { $1 }
        let secrets = StartSecrets(
            configurationFile: path, options, environment: variables, loop: loop)
        return try await secrets.atStart { _, _ in }
    }

    @Test func `systemd's folder gives what nothing else does`() async throws {
        let all = try await found([:])
        #expect(StartSecrets.names.allSatisfy { all[$0] == "of systemd" })
    }

    @Test(arguments: [
        ["DEPLOYEX_ERLANG_COOKIE": "given"], ["DEPLOYEX_COOKIE_FILE": "/c"],
        ["DEPLOYEX_ERLANG_COOKIE_FILE": "/c"], ["ELIXIR_ERL_OPTIONS": "-setcookie given"],
    ])
    func `a cookie that is given another way wins`(environment: [String: String]) async throws {
        let all = try await found(environment)
        #expect(all["DEPLOYEX_ERLANG_COOKIE"] == environment["DEPLOYEX_ERLANG_COOKIE"])
        #expect(all["DEPLOYEX_API_TOKEN"] == "of systemd")
    }

    @Test func `so do the command line and the configuration file`() async throws {
        #expect(try await found([:], cookie: "typed")["DEPLOYEX_ERLANG_COOKIE"] == nil)
        let text = #"""
            {"cookie_file": "/c", "dashboard": {"api_token_file": "/t", "viewer_password_hash_file": "/v"},
             "applications": [{"name": "counter"}]}
            """#
        let all = try await found([:], file: text)
        #expect(all["DEPLOYEX_ERLANG_COOKIE"] == nil && all["DEPLOYEX_API_TOKEN"] == nil)
        #expect(all["DEPLOYEX_VIEWER_PASSWORD_HASH"] == nil)
        #expect(all["DEPLOYEX_ADMIN_PASSWORD_HASH"] == "of systemd")
    }
}
