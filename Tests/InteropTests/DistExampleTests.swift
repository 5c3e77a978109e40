import ErlDist
import TestKit
import Testing
import Transport

extension DistTests {
    @Suite struct DistExampleTests {
        @Test(.only(over: .tcp, "the example is a page, and has no TLS"))
        func `the example calls, receives and is called`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let release = try await peer("list_to_integer(erlang:system_info(otp_release))")
            let program = try ChildProcess.interop(
                [
                    BuiltProgram.path("node-example"), "swift@\(fixture.host)", peer.name.text,
                    "secret",
                ],
                epmdPort: fixture.epmdPort, ofOTP: false)
            defer { program.kill() }
            let lines = try await offload {
                try (0..<4).map { _ in try program.line() }
            }
            #expect(
                lines == [
                    "\(peer.name) runs OTP \(release)",
                    "Hello Joe, from \(peer.name)", "received 2", "the answer was 21",
                ])
        }
    }
}
