import TestKit
import Transport

/// Runs a real `erl` to its end.
enum ErlangProcess {
    /// What `erl -noshell -noinput -eval SCRIPT` prints until the script ends the node (`halt()`).
    static func run(
        script: String, arguments: [String] = [], timeout: Duration = .seconds(120)
    ) async throws -> String {
        let words = OTPRelease.current.command(
            ["erl", "-noshell", "-noinput"] + arguments + ["-eval", script])
        // Threads of the pool must not block in it: the tests beside this one would stand still.
        return try await offload {
            try ChildProcess.run(
                words[0], Array(words.dropFirst()), errors: .inherited, within: timeout)
        }
    }
}

extension ChildProcess {
    /// A program with pipes, which asks the EPMD on this port.
    /// - Parameter ofOTP: whether it is one of the OTP under test, or of this host.
    static func interop(
        _ command: [String], epmdPort: UInt16, ofOTP: Bool = true, input: Input = .pipe
    ) throws -> ChildProcess {
        var variables = ["ERL_EPMD_PORT": "\(epmdPort)"]
        // A program of ours is built as the tests are: its sanitizer is to be told the same.
        for name in ["PATH", "HOME", "ASAN_OPTIONS", "TSAN_OPTIONS"] {
            variables[name] = ThisHost.variable(name)
        }
        let release = ofOTP ? OTPRelease.current : .host
        let words = release.command(command)
        return try ChildProcess(
            words[0], Array(words.dropFirst()), environment: release.environment(variables),
            input: input, output: .pipe)
    }
}
