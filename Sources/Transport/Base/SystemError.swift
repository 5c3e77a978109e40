internal import CLinux
internal import Glibc

/// A failed system call: what was attempted and the kernel's errno.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was being done, as words that fit before a colon ("connecting to 127.0.0.1:4369").
    public var attempt: String
    /// The errno value of errno(3), such as `ECONNREFUSED`.
    public var code: Int32

    public init(_ attempt: String, code: Int32) {
        self.attempt = attempt
        self.code = code
    }

    /// The error of the system call that has just failed on this thread.
    package static func last(_ attempt: String) -> SystemError {
        SystemError(attempt, code: clinux_errno())
    }

    /// "connecting to 127.0.0.1:4369: connection refused"
    public var description: String {
        "\(attempt): \(Self.text(code))"
    }

    /// The C library's text for an errno value. It starts in lower case, because it follows a
    /// colon.
    package static func text(_ code: Int32) -> String {
        let text = String(cString: clinux_error_text(code))
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
