internal import COpenSSL

/// OpenSSL's errors in words. OpenSSL keeps them in a queue for each thread.
enum OpenSSLError {
    /// Returns the last error of this thread, and forgets all of them.
    static func takeLast() -> String {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        return text(code)
    }

    /// Throws the last error of OpenSSL unless `result` is 1.
    static func check(_ result: Int32) throws(TLSConfigurationError) {
        guard result == 1 else { throw .refused(takeLast()) }
    }

    static func text(_ code: UInt) -> String {
        guard let reason = ERR_reason_error_string(code) else { return "error \(code)" }
        return String(cString: reason)
    }
}
