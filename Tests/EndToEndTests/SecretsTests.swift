import FoundationEssentials
import Glibc
import TestKit
import Testing
import Transport

/// Secrets that neither a variable nor a configured file has.
@Suite(.serialized) struct SecretsTests {
    /// What `deployex hash-password` prints for a word.
    private func hash(_ password: String, in world: DeployexWorld) async throws -> String {
        let child = try ChildProcess(
            BuiltProgram.deployex, ["hash-password"], environment: world.variables, input: .pipe,
            output: .pipe, errors: .null)
        try child.write(password + "\n")
        child.closeInput()
        let result = try await offload { try child.wait() }
        return result.output.split(separator: "\n").last.map { String($0) } ?? ""
    }

    private func status(ofLogin password: String, at port: Int) async throws -> String {
        try await offload {
            try ChildProcess.run(
                "curl",
                [
                    "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                    "Origin: http://127.0.0.1:\(port)", "-d", #"{"password":"\#(password)"}"#,
                    "http://127.0.0.1:\(port)/api/v1/session",
                ], errors: .null)
        }
    }

    @Test func `the cookie and a password come from Secrets Manager, again on SIGHUP`() async throws
    {
        let moto = try await offload { try MotoServer() }
        let options = DeployexWorld.Options(
            cookie: "",
            variables: moto.variables.merging([
                "DEPLOYEX_SECRETS_ADAPTER": "aws", "DEPLOYEX_PHX_SERVER": "true",
            ]) { $1 }, extraPorts: 1)
        try await DeployexWorld.run(options, isStarted: false) { world in
            let port = world.extraPort
            func store(_ cookie: String, _ password: String) async throws {
                let hash = try await hash(password, in: world)
                let text =
                    #"{"DEPLOYEX_ERLANG_COOKIE":"\#(cookie)","#
                    + #""DEPLOYEX_ADMIN_PASSWORD_HASH":"\#(hash)"}"#
                try await offload { try moto.setSecret("deployex-counter-local-secrets", to: text) }
            }
            // Without the secret nothing starts, and the line says why.
            try await world.launchDeployex(adding: ["DEPLOYEX_PHX_PORT": "\(port)"])
            #expect(try await world.waitForDeployex() == 1)
            #expect(await world.log.contains("there is no such secret"))

            try await store("a-cookie-of-moto", "first-password")
            try await world.startDeployex(adding: ["DEPLOYEX_PHX_PORT": "\(port)"])
            try await world.place("0.1.0")
            try await world.bring(to: "0.1.0")
            let pid = try #require(await world.answer(1)).osPID
            #expect(ProcFolder.variable("RELEASE_COOKIE", of: pid) == "a-cookie-of-moto")
            #expect(ProcFolder.variable("DEPLOYEX_ADMIN_PASSWORD_HASH", of: pid) == nil)
            #expect(try await status(ofLogin: "first-password", at: port) == "200")

            try await store("another-cookie", "second-password")
            try await world.signalDeployex(SIGHUP)
            try await world.waitForLog(
                "secrets are read again, changed: the administrator's password")
            try await world.waitForLog("The cookie is another now")
            #expect(try await status(ofLogin: "second-password", at: port) == "200")
            #expect(try await status(ofLogin: "first-password", at: port) == "401")
            #expect(await world.answer(1)?.osPID == pid)
            let log = await world.log
            for secret in ["a-cookie-of-moto", "another-cookie", "scrypt:", moto.secret] {
                #expect(!log.contains(secret))
            }
            // Nobody answers: the instances' cookie is known still.
            #expect(try await world.endDeployex(SIGTERM) == 0)
            let mark = await world.logMark
            try await world.startDeployex(adding: [
                "DEPLOYEX_PHX_PORT": "\(port)",
                "AWS_ENDPOINT_URL": "http://127.0.0.1:\(FreePorts.take(1))",
            ])
            try await world.waitForLog(
                "and with the cookie that the last deployex has left", after: mark)
            try await world.waitUntilAllRun("0.1.0")
        }
    }

    @Test func `systemd's folder of credentials is read, and not handed on`() async throws {
        let folder = TemporaryFolder("credentials")
        folder.write("a-cookie-of-systemd\n", "DEPLOYEX_ERLANG_COOKIE", mode: 0o400)
        let options = DeployexWorld.Options(
            cookie: "", variables: ["CREDENTIALS_DIRECTORY": folder.path])
        try await DeployexWorld.run(options) { world in
            try await world.place("0.1.0")
            try await world.bring(to: "0.1.0")
            let pid = try #require(await world.answer(1)).osPID
            #expect(ProcFolder.variable("RELEASE_COOKIE", of: pid) == "a-cookie-of-systemd")
            #expect(ProcFolder.variable("CREDENTIALS_DIRECTORY", of: pid) == nil)
            #expect(ProcFolder.variable("AWS_SECRET_ACCESS_KEY", of: pid) == nil)
        }
    }
}
