import TestKit
import Testing
import Transport

@testable import AWS

/// Who asks at the same time shares one question.
@Suite(.timeLimit(.minutes(2))) struct CredentialsChainTests {
    private let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    /// What is fetched, when a test says so.
    private actor Source {
        private var waiters:
            [CheckedContinuation<Result<AWSCredentials, CredentialsError>, Never>] =
                []
        private(set) var count = 0

        func fetch() async throws(CredentialsError) -> AWSCredentials {
            count += 1
            return try await withCheckedContinuation { waiters.append($0) }.get()
        }

        func answer(_ result: Result<AWSCredentials, CredentialsError>) {
            waiters.removeFirst().resume(returning: result)
        }
    }

    private final class Warnings: Sendable {
        let texts = Guarded<[String]>([])
        let time = Guarded(1_000)
    }

    private func credentials(_ name: String, until expiration: Int? = nil) -> AWSCredentials {
        AWSCredentials(accessKeyID: name, secretAccessKey: "s", expiration: expiration)
    }

    private func chain(_ source: Source, _ shared: Warnings) -> CredentialsChain {
        CredentialsChain(
            loop: loop, clock: { shared.time.withLock { $0 } },
            warn: { text in shared.texts.withLock { $0.append(text) } },
            fetch: { () async throws(CredentialsError) in try await source.fetch() })
    }

    @Test func `a hundred who ask get one answer`() async throws {
        let source = Source()
        let chain = chain(source, Warnings())
        let tasks = (0..<100).map { _ in Task { try await chain.credentials() } }
        try await eventually { await source.count == 1 }
        await source.answer(.success(credentials("a")))
        for task in tasks { #expect(try await task.value == credentials("a")) }
        #expect(await source.count == 1)
    }

    @Test func `an answer that comes at once reaches whoever has asked`() async throws {
        for _ in 0..<200 {
            let chain = CredentialsChain(
                loop: loop, clock: { 1_000 },
                fetch: { () async throws(CredentialsError) in
                    AWSCredentials(accessKeyID: "a", secretAccessKey: "s")
                })
            let tasks = (0..<3).map { _ in Task { try await chain.credentials() } }
            for task in tasks { #expect(try await task.value == credentials("a")) }
        }
    }

    @Test func `a failure reaches all who wait, and a cancelled one does not wait`() async throws {
        let source = Source()
        let chain = chain(source, Warnings())
        let first = Task { try await chain.credentials() }
        try await eventually { await source.count == 1 }
        let second = Task { try await chain.credentials() }
        second.cancel()
        await #expect(throws: CredentialsError.self) { try await second.value }
        let error = CredentialsError("no")
        await source.answer(.failure(error))
        await #expect(throws: error) { try await first.value }
        // In the pause nobody is asked.
        await #expect(throws: error) { try await chain.credentials() }
        #expect(await source.count == 1)
    }

    @Test func `old ones are used while renewing fails, which is told once`() async throws {
        let source = Source()
        let shared = Warnings()
        let chain = chain(source, shared)
        let old = credentials("old", until: 5_000)
        let task = Task { try await chain.credentials() }
        try await eventually { await source.count == 1 }
        await source.answer(.success(old))
        #expect(try await task.value == old)
        for (index, time) in [4_700, 4_800].enumerated() {
            shared.time.withLock { $0 = time }
            #expect(try await chain.credentials() == old)
            try await eventually { await source.count == index + 2 }
            await source.answer(.failure(CredentialsError("no")))
            // The next question is asked after the answer to this one.
            try await eventually { await !chain.isFetching }
        }
        #expect(
            shared.texts.withLock { $0 } == [
                "renewing the AWS credentials: no; the old ones are used until they expire"
            ])
        shared.time.withLock { $0 = 5_000 }
        let last = Task { try await chain.credentials() }
        try await eventually { await source.count == 4 }
        await source.answer(.success(credentials("new")))
        #expect(try await last.value == credentials("new"))
    }

    @Test func `what is not accepted is fetched anew`() async throws {
        let source = Source()
        let shared = Warnings()
        let chain = chain(source, shared)
        for (count, name) in ["a", "b"].enumerated() {
            let task = Task { try await chain.credentials() }
            try await eventually { await source.count == count + 1 }
            await source.answer(.success(credentials(name)))
            #expect(try await task.value == credentials(name))
            shared.time.withLock { $0 += 100 }
            await chain.invalidate()
        }
    }
}
