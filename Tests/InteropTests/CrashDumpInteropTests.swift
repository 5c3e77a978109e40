import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

@Suite(.ifOTPIsThere, .timeLimit(.minutes(2))) struct CrashDumpInteropTests {
    @Test func `the dump of a real node tells why it crashed, and what was large`() async throws {
        let folder = try SharedFolder()
        let script = """
            register(big, spawn(fun() -> L = lists:seq(1, 500000), receive x -> L end end)),
            register(busy, spawn(fun() -> receive stop -> ok end end)),
            [busy ! N || N <- lists:seq(1, 3000)],
            (fun Wait() ->
                case {process_info(whereis(big), status),
                        process_info(whereis(busy), message_queue_len)} of
                    {{status, waiting}, {message_queue_len, 3000}} -> ok;
                    _ -> Wait()
                end
            end)(),
            erlang:halt("boom <script>").
            """
        let words = OTPRelease.current.command(
            [
                "erl", "-noshell", "-noinput", "-env", "ERL_CRASH_DUMP", folder.path + "/dump",
                "-eval", script,
            ])
        let child = try ChildProcess(words[0], Array(words.dropFirst()), output: .pipe)
        let end = try await offload { try child.wait(within: .seconds(60)) }
        #expect(end.status != 0)
        let location = folder.location
        let file = try await offload {
            try CrashDumpFile(reading: location + "/dump", owners: TrustedUsers())
        }
        let dump = try #require(file.dump)
        #expect(dump.slogan == "boom <script>")
        #expect(dump.systemVersion.contains("Erlang/OTP \(try await OTPRelease.number.value) "))
        #expect(dump.isComplete)
        #expect(dump.memory.contains { $0.kind == "total" && $0.byteCount > 1_000_000 })
        #expect(dump.largest.first?.name == "big")
        #expect(dump.busiest.first?.name == "busy")
        #expect(dump.busiest.first?.queueLength == 3000)
        #expect(dump.processCount > 20)
    }
}
