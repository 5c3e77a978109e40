import Foundation
import Glibc
import HTTP
import TestKit
import Testing
import Transport

/// The readiness check's client against the HTTP server of Examples/counter, run from its sources.
@Suite(.timeLimit(.minutes(2))) struct HTTPInteropTests {
    private static let elixir = "/usr/bin/elixir"

    private static let sources = BuiltProgram.root + "/Examples/counter/lib/counter/"

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: elixir)))
    func `the counter's own server is ready on a page it has, and only there`() async throws {
        // With port 0 it would not tell which one it got.
        let port = UInt16(FreePorts.take())
        let arguments =
            ["json", "pages", "server", "http"].flatMap { ["-r", Self.sources + $0 + ".ex"] } + [
                "-e",
                """
                Application.put_env(:counter, :greeting, "hello")
                {:ok, _} = Counter.Server.start_link([])
                {:ok, _} = Task.Supervisor.start_link(name: Counter.Connections)
                {:ok, _} = Counter.HTTP.start_link(port: \(port))
                IO.puts("listening")
                IO.read(:line)
                """,
            ]
        let process = try ChildProcess(
            Self.elixir, arguments, input: .pipe, output: .pipe, errors: .null)
        _ = try await offload { try process.line(containing: "listening") }

        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let client = HTTPClient(loop: loop)
        for (path, status) in [("/", 200), ("/missing", 404), ("/increment", 404)] {
            let response = try await client.get(
                .loopback(port: port), host: "localhost:\(port)", path: path,
                within: .seconds(10))
            #expect(response.status == status)
            #expect(response.isWhole)
            #expect(response.isSuccess == (status == 200))
        }
    }
}
