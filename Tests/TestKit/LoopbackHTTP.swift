internal import Glibc

/// One HTTP/1.1 request to a port of 127.0.0.1, blocking, for tests only.
package enum LoopbackHTTP {
    /// The body of the answer; `nil` when there is none within the timeout.
    package static func request(
        _ method: String = "GET", _ path: String = "/", port: Int, timeoutSeconds: Int = 2
    ) -> String? {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return nil }
        defer { close(raw) }
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard FreePorts.connectToLoopback(raw, port: port) else { return nil }
        let request = Array(
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        guard send(raw, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
        else { return nil }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = recv(raw, &buffer, buffer.count, 0)
            if count == 0 { break }
            guard count > 0 else { return nil }
            answer += buffer[..<count]
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard text.hasPrefix("HTTP/1.1 200 "), let end = text.firstRange(of: "\r\n\r\n") else {
            return nil
        }
        return String(text[end.upperBound...])
    }
}
