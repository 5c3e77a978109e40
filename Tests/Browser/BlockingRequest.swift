internal import Glibc
internal import TestKit

/// One HTTP/1.1 request to a port of 127.0.0.1, blocking, over a connection of its own.
enum BlockingRequest {
    struct Answer {
        var status: Int
        var content: [UInt8]
    }

    /// - Parameter timeoutSeconds: how long the other side may say nothing.
    static func send(
        _ method: String, _ path: String, port: Int, content: [UInt8] = [],
        timeoutSeconds: Int = 300
    ) throws(TestFailure) -> Answer {
        let what = "\(method) \(path) on port \(port)"
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw TestFailure("\(what): errno \(errno)") }
        defer { close(raw) }
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard FreePorts.connectToLoopback(raw, port: port) else {
            throw TestFailure("\(what): nobody listens")
        }
        let head =
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(content.count)\r\n\r\n"
        var rest = (Array(head.utf8) + content)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw TestFailure("\(what): errno \(errno)") }
            rest = rest.dropFirst(count)
        }
        return try answer(from: raw, what)
    }

    /// The content's length is told, or it ends with the connection.
    private static func answer(from raw: Int32, _ what: String) throws(TestFailure) -> Answer {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var end: (content: Int, length: Int?)?
        while true {
            if end == nil, let found = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: bytes[..<found.lowerBound], as: UTF8.self)
                end = (found.upperBound, length(in: head))
            }
            if let end, let length = end.length, bytes.count >= end.content + length { break }
            let count = recv(raw, &buffer, buffer.count, 0)
            guard count >= 0 else { throw TestFailure("\(what): no answer, errno \(errno)") }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        guard let end, bytes.count > 12,
            let status = Int(String(decoding: bytes[9..<12], as: UTF8.self))
        else { throw TestFailure("\(what): no answer") }
        return Answer(status: status, content: Array(bytes[end.content...]))
    }

    private static func length(in head: String) -> Int? {
        for line in head.split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "content-length" else { continue }
            return Int(parts[1].filter { $0 != " " })
        }
        return nil
    }
}
