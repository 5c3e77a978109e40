import ErlDist
import Glibc
import Testing
import Transport

extension DistTests {
    @Suite struct DistExampleTests {
        /// It is built into the folder that the tests run from.
        private static var program: String {
            var buffer = [CChar](repeating: 0, count: 4096)
            let count = readlink("/proc/self/exe", &buffer, buffer.count)
            let bytes = buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }
            let path = String(decoding: bytes, as: UTF8.self)
            let folder = path.split(separator: "/").dropLast().joined(separator: "/")
            let beside = "/" + folder + "/node-example"
            return access(beside, X_OK) == 0 ? beside : ".build/debug/node-example"
        }

        @Test func `the example calls, receives and is called`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let release = try await peer("list_to_integer(erlang:system_info(otp_release))")
            let program = try DistProcess(
                [Self.program, "swift@\(fixture.host)", peer.name.text, "secret"],
                environment: ["ERL_EPMD_PORT": "\(fixture.epmdPort)"], ofOTP: false)
            defer { program.kill() }
            let lines = try await offload {
                try (0..<4).map { _ in try program.line(after: "", timeout: .seconds(20)) }
            }
            #expect(
                lines == [
                    "\(peer.name) runs OTP \(release)",
                    "Hello Joe, from \(peer.name)", "received 2", "the answer was 21",
                ])
        }
    }
}
