import TestKit
import Testing

extension DeployexWorld {
    /// The world that a suite's tests share: see ``SharedWorld``.
    @TaskLocal static var shared: DeployexWorld?

    static var current: DeployexWorld {
        get throws {
            guard let shared else { throw TestFailure("this suite has no shared world") }
            return shared
        }
    }

    /// A world is some virtual machines that boot.
    private static let slots = Slots(2)

    /// Makes a world, starts it, and ends it also when `body` throws. Two exist at a time at most.
    static func run<Result: Sendable>(
        _ options: Options = Options(), isStarted: Bool = true,
        _ body: @Sendable (DeployexWorld) async throws -> Result
    ) async throws -> Result {
        await slots.take()
        return try await attempt {
            try await runInSlot(options, isStarted: isStarted, body)
        } thenAlways: {
            await slots.give()
        }
    }

    /// A world in which nothing is started but commands that end soon.
    static func runWithoutSlot(
        _ body: @Sendable (DeployexWorld) async throws -> Void
    ) async throws {
        try await runInSlot(Options(), isStarted: false, body)
    }

    private static func runInSlot<Result: Sendable>(
        _ options: Options, isStarted: Bool,
        _ body: @Sendable (DeployexWorld) async throws -> Result
    ) async throws -> Result {
        let world = try DeployexWorld(options)
        return try await attempt {
            if isStarted { try await world.start() }
            return try await body(world)
        } thenAlways: {
            await world.end()
        }
    }
}

/// Gives all tests of a suite one world, which starts before the first and ends after the last.
struct SharedWorld: SuiteTrait, TestScoping {
    var options: DeployexWorld.Options
    /// What is deployed before the first test.
    var version: String?

    // Once for the suite, not for each of its tests.
    var isRecursive: Bool { false }

    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await DeployexWorld.run(options) { world in
            if let version { try await world.bring(to: version) }
            try await DeployexWorld.$shared.withValue(world) { try await function() }
        }
    }
}

extension Trait where Self == SharedWorld {
    static func sharedWorld(
        _ options: DeployexWorld.Options = .init(), running version: String? = nil
    ) -> Self {
        SharedWorld(options: options, version: version)
    }
}
