import TestKit
import Testing

@testable import AWS

/// The machine that renews credentials, with a clock of the test's own.
@Suite struct CredentialsRefreshTests {
    private func credentials(_ name: String, until expiration: Int? = nil) -> AWSCredentials {
        AWSCredentials(accessKeyID: name, secretAccessKey: "s", expiration: expiration)
    }
    private let error = CredentialsError("no")

    /// A machine that has fetched `credentials` at 1000.
    private func machine(_ credentials: AWSCredentials) -> CredentialsRefresh {
        var machine = CredentialsRefresh()
        #expect(machine.asked(at: 1_000) == .fetch)
        #expect(
            machine.answered(.success(credentials), at: 1_000, jitter: 1) == .success(credentials))
        return machine
    }

    @Test func `all who ask at first wait for one question`() {
        var machine = CredentialsRefresh()
        #expect(machine.asked(at: 1_000) == .fetch)
        #expect(machine.asked(at: 1_000) == .wait)
        #expect(machine.asked(at: 9_000) == .wait)
        let found = credentials("a")
        _ = machine.answered(.success(found), at: 9_000, jitter: 1)
        #expect(machine.asked(at: 9_000) == .use(found))
        // They last.
        #expect(machine.asked(at: .max) == .use(found))
    }

    @Test func `they are renewed five minutes before they expire, and used meanwhile`() {
        let old = credentials("old", until: 5_000)
        var machine = machine(old)
        #expect(machine.asked(at: 4_699) == .use(old))
        #expect(machine.asked(at: 4_700) == .useAndFetch(old))
        #expect(machine.asked(at: 4_701) == .use(old))
        #expect(machine.asked(at: 4_999) == .use(old))
        // Expired while the question is under way.
        #expect(machine.asked(at: 5_000) == .wait)
        let new = credentials("new", until: 9_000)
        #expect(machine.answered(.success(new), at: 5_001, jitter: 1) == .success(new))
        #expect(machine.asked(at: 5_001) == .use(new))
    }

    @Test func `those that live shortly are renewed at half of their life`() {
        let short = credentials("short", until: 1_060)
        var machine = machine(short)
        #expect(machine.asked(at: 1_029) == .use(short))
        #expect(machine.asked(at: 1_030) == .useAndFetch(short))
    }

    @Test func `old ones are used while the renewal fails, until they expire`() {
        let old = credentials("old", until: 5_000)
        var machine = machine(old)
        #expect(machine.asked(at: 4_700) == .useAndFetch(old))
        #expect(machine.answered(.failure(error), at: 4_701, jitter: 1) == .failure(error))
        #expect(machine.isUsable(at: 4_701) && !machine.isUsable(at: 5_000))
        #expect(machine.asked(at: 4_701) == .use(old))
        #expect(machine.asked(at: 4_702) == .useAndFetch(old))
        _ = machine.answered(.failure(error), at: 4_999, jitter: 1)
        #expect(machine.asked(at: 4_999) == .use(old))
        #expect(machine.asked(at: 5_000) == .refuse(error))
        #expect(machine.asked(at: 5_001) == .fetch)
    }

    @Test func `between failing questions there are pauses that grow to a minute`() {
        var machine = CredentialsRefresh()
        var time = 1_000
        var pauses: [Int] = []
        for _ in 0..<9 {
            #expect(machine.asked(at: time) == .fetch)
            _ = machine.answered(.failure(error), at: time, jitter: 1)
            var pause = 0
            var copy = machine
            while copy.asked(at: time + pause) == .refuse(error) { pause += 1 }
            pauses.append(pause)
            time += pause
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60])
        _ = machine.asked(at: time)
        _ = machine.answered(.failure(error), at: time, jitter: 0.5)
        #expect(machine.asked(at: time + 29) == .refuse(error))
        #expect(machine.asked(at: time + 30) == .fetch)
    }

    @Test func `a clock that is set back does not make a pause longer`() {
        var machine = CredentialsRefresh()
        _ = machine.asked(at: 10_000)
        _ = machine.answered(.failure(error), at: 10_000, jitter: 1)
        #expect(machine.asked(at: 500) == .fetch)
    }

    @Test func `credentials that have expired already are a failure`() {
        var machine = CredentialsRefresh()
        _ = machine.asked(at: 1_000)
        let answer = machine.answered(
            .success(credentials("a", until: 1_000)), at: 1_000, jitter: 1)
        guard case .failure(let error) = answer else {
            Issue.record("expired credentials are used")
            return
        }
        #expect(error.description.contains("clock"))
        #expect(machine.asked(at: 1_000) == .refuse(error))
    }

    @Test func `what is not accepted is not used again`() {
        let old = credentials("old")
        var machine = machine(old)
        machine.invalidated(at: 1_010)
        #expect(machine.asked(at: 1_010) == .fetch)
        _ = machine.answered(.failure(error), at: 1_010, jitter: 1)
        #expect(machine.asked(at: 1_010) == .refuse(error))
    }

    @Test func `a late complaint about the credentials before is not about new ones`() {
        let new = credentials("new")
        var machine = machine(new)
        machine.invalidated(at: 1_004)
        #expect(machine.asked(at: 1_004) == .use(new))
        machine.invalidated(at: 1_005)
        #expect(machine.asked(at: 1_005) == .fetch)
    }

    @Test func `one question at most is under way, and nothing expired is given out`() {
        var random = SeededRandom(seed: 3)
        var machine = CredentialsRefresh()
        var time = 1_000
        var isFetching = false
        for _ in 0..<20_000 {
            time += Int.random(in: 0...200, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where isFetching:
                isFetching = false
                _ = machine.answered(
                    .success(
                        credentials("c", until: time + Int.random(in: -5...2_000, using: &random))),
                    at: time, jitter: 0.7)
            case 1 where isFetching:
                isFetching = false
                _ = machine.answered(.failure(error), at: time, jitter: 0.7)
            case 2: machine.invalidated(at: time)
            default:
                switch machine.asked(at: time) {
                case .use(let found): #expect((found.expiration ?? .max) > time)
                case .useAndFetch(let found):
                    #expect((found.expiration ?? .max) > time && !isFetching)
                    isFetching = true
                case .fetch:
                    #expect(!isFetching)
                    isFetching = true
                case .wait: #expect(isFetching)
                case .refuse: #expect(!isFetching)
                }
            }
        }
    }
}
