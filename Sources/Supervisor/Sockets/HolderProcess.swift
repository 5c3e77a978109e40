package import Transport

/// The process of `deployex hold` as deployex starts it.
package enum HolderProcess {
    package static let verb = "hold"

    /// Starts a holder in a base folder, whose former one is gone. It is our child, in a session of its own,
    /// and outlives us. Called on the loop's thread.
    /// - Parameters:
    ///   - folder: opens the base folder. It blocks.
    ///   - base: the folder's path, which `ps` shows.
    package nonisolated(nonsending) static func start(
        in folder: @escaping @Sendable () throws -> FileDescriptor, base: String,
        on loop: EventLoop
    ) async throws {
        let passed = try await offload { try Passed(folder) }
        // Run the program that runs now, even if its file has been replaced or was found through PATH.
        var program = Program(
            path: "/proc/self/exe", arguments: [verb, base], environment: [:], folder: "/",
            stdoutPath: "/dev/null", stderrPath: "/dev/null")
        program.name = "deployex"
        program.setting.passed = passed.descriptors
        // Whoever is connected to it notices its end.
        _ = try await ProcessSession.start(program, on: loop) { _ in }
        withExtendedLifetime(passed) {}
    }

    private final class Passed: Sendable {
        private let listener: FileDescriptor
        private let folder: FileDescriptor

        init(_ folder: () throws -> FileDescriptor) throws {
            let folder = try folder()
            listener = try LocalSocket.bind(in: folder)
            self.folder = folder
        }

        var descriptors: [PassedDescriptor] {
            [
                PassedDescriptor(source: listener.raw, target: HolderServer.listenerNumber),
                PassedDescriptor(source: folder.raw, target: HolderServer.folderNumber),
            ]
        }
    }
}
