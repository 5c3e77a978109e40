import Testing
import Transport

@testable import Dashboard

@Suite struct AttemptLimitTests {
    private let start = MonotonicTime(nanoseconds: 0)

    private func source(_ number: Int) -> PeerSource {
        PeerSource(SocketAddress("10.0.\(number / 256).\(number % 256)", port: 1)!)
    }

    @Test func `a source that fails too often waits for the rest of the period`() {
        var limits = AttemptLimit.Limits()
        limits.countOfSource = 3
        var attempts = AttemptLimit(limits: limits)
        for second in 0..<3 {
            #expect(attempts.wait(source(1), at: start + .seconds(second)) == nil)
            attempts.failed(source(1), at: start + .seconds(second))
        }
        #expect(attempts.wait(source(1), at: start + .seconds(10)) == .seconds(50))
        #expect(attempts.wait(source(2), at: start + .seconds(10)) == nil)
        #expect(attempts.wait(source(1), at: start + .seconds(60)) == nil)
        attempts.failed(source(1), at: start + .seconds(60))
        #expect(attempts.wait(source(1), at: start + .seconds(60)) == nil)
    }

    @Test func `all sources together have a limit`() {
        var limits = AttemptLimit.Limits()
        limits.count = 5
        var attempts = AttemptLimit(limits: limits)
        for number in 0..<5 { attempts.failed(source(number), at: start) }
        #expect(attempts.wait(source(99), at: start) == .seconds(60))
        #expect(attempts.wait(source(99), at: start + .seconds(60)) == nil)
    }

    @Test func `few sources are remembered, and those who failed most`() {
        var limits = AttemptLimit.Limits()
        limits.count = .max
        limits.sourceCount = 10
        limits.countOfSource = 2
        var attempts = AttemptLimit(limits: limits)
        for _ in 0..<2 { attempts.failed(source(0), at: start) }
        for number in 1..<100 { attempts.failed(source(number), at: start) }
        #expect(attempts.wait(source(0), at: start) != nil)
        var some = attempts
        some.failed(source(1_000), at: start + .seconds(60))
        #expect(some.wait(source(0), at: start + .seconds(60)) == nil)
    }
}

@Suite struct AllowedHostsTests {
    @Test func `only known names are answered`() {
        let hosts = AllowedHosts(["Example.org"])
        for host in [
            "localhost", "localhost:5001", "127.0.0.1:1", "[::1]", "[::1]:5001", "example.org",
            "example.org:443",
        ] {
            #expect(hosts.allow(host), "\(host)")
        }
        #expect(hosts.allow(nil))
        for host in ["evil.example", "localhost.evil.example", "127.0.0.2", "[::2]:1"] {
            #expect(!hosts.allow(host), "\(host)")
        }
    }
}

@Suite struct SecretComparisonTests {
    @Test func `secrets are compared whole`() {
        let secret = Array("secret".utf8)
        #expect(SecretComparison.areEqual(secret, secret))
        for other in ["", "secre", "secrets", "Secret", "secreT"] {
            #expect(!SecretComparison.areEqual(Array(other.utf8), secret))
        }
        #expect(SecretComparison.areEqual([], []))
    }
}
