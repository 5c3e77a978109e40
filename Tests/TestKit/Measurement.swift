internal import Glibc
package import Transport

/// A command line that makes no sense.
package struct CommandLineError: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// The arguments of a program that measures, taken one after the other.
package struct Arguments {
    private let program: String
    private var rest: ArraySlice<String>

    package init(of program: String, _ arguments: [String]) {
        self.program = program
        rest = arguments[...]
    }

    package var isEmpty: Bool { rest.isEmpty }

    package mutating func next() -> String? { rest.popFirst() }

    package mutating func text(for option: String) throws(CommandLineError) -> String {
        guard let text = next(), !text.isEmpty else {
            throw CommandLineError("\(option) needs a value")
        }
        return text
    }

    package mutating func number(for option: String) throws(CommandLineError) -> Int {
        guard let number = next().flatMap({ Int($0) }), number > 0 else {
            throw CommandLineError("\(option) needs a number of 1 or more")
        }
        return number
    }

    /// The measures whose names are given with commas between them.
    package mutating func measures<Measure: RawRepresentable & Hashable>() throws(CommandLineError)
        -> Set<Measure> where Measure.RawValue == String
    {
        var measures: Set<Measure> = []
        for part in (next() ?? "").split(separator: ",") {
            guard let measure = Measure(rawValue: String(part)) else {
                throw CommandLineError("\(part) is not a measure (see `\(program) --help`)")
            }
            measures.insert(measure)
        }
        guard !measures.isEmpty else {
            throw CommandLineError("--only needs the names of measures")
        }
        return measures
    }

    package func unknown(_ argument: String) -> CommandLineError {
        CommandLineError("\(argument) is not an option (see `\(program) --help`)")
    }
}

/// A program that measures, on the event loop of its main thread as `deployex` itself.
package enum MeasuringProgram {
    /// Runs `body`, and exits with 2 when it throws a ``CommandLineError``, with 1 when another error.
    package static func run(_ name: String, _ body: ([String]) throws -> Void) {
        signal(SIGPIPE, SIG_IGN)
        do throws(any Error) {
            try body(Array(CommandLine.arguments.dropFirst()))
        } catch {
            note("\(error)", of: name)
            exit(error is CommandLineError ? 2 : 1)
        }
    }

    package static func onLoop<Result: Sendable>(
        _ body: @escaping @Sendable (EventLoop) async throws -> Result
    ) throws -> Result {
        let loop = try EventLoop()
        // Written by the task before the loop stops, read after it has stopped, on the same thread.
        nonisolated(unsafe) var result: Swift.Result<Result, any Error>?
        Task(executorPreference: loop) {
            do { result = .success(try await body(loop)) } catch { result = .failure(error) }
            loop.stop()
        }
        loop.run()
        guard let result else { preconditionFailure("The loop stops when there is a result") }
        return try result.get()
    }

    /// Tells who waits what goes on, or what went wrong; not part of the result.
    package static func note(_ text: String, of name: String) {
        let line = Array("\(name): \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
