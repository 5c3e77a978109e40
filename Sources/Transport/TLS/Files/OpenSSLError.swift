internal import COpenSSL

/// The errors of OpenSSL in words. It keeps them in a queue for each thread.
enum OpenSSLError {
    /// Says what the last error of this thread was, and forgets all of them.
    static func takeLast() -> String {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        return text(code)
    }

    static func text(_ code: UInt) -> String {
        guard let reason = ERR_reason_error_string(code) else { return "error \(code)" }
        return String(cString: reason)
    }
}
