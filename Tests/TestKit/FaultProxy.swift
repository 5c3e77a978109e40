package import Transport

/// Stands between a client and a server, and does to each answer what the script says: what
/// servers and networks do seldom. Without a script it passes everything on.
package actor FaultProxy {
    package enum Fault: Sendable {
        case pass
        /// Passes on that many bytes of the answer, and closes the connection.
        case cut(after: Int)
        /// Passes on that many bytes of the answer, and nothing more. It stays open.
        case stall(after: Int)
        /// Changes the byte at that place, counted from the answer's first.
        case changed(byte: Int)
        /// Answers itself, with these bytes.
        case answer(String)
    }

    private nonisolated let loop: EventLoop
    private let server: SocketAddress
    private var script: [Fault] = []
    private var open: [any ByteStream] = []
    /// The first line of each request, and its Range.
    package private(set) var requests: [String] = []
    /// Of the answers that were passed on.
    package private(set) var statuses: [Int] = []

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(to port: Int, loop: EventLoop) {
        server = .loopback(port: UInt16(port))
        self.loop = loop
    }

    /// - Returns: the port.
    package func listen() throws -> Int {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { stream in self.assumeIsolated { $0.accept(stream) } }
        return Int(listener.address.port)
    }

    /// What happens to the next answers, in order.
    package func expect(_ faults: [Fault]) {
        script = faults
        requests = []
        statuses = []
    }

    /// Whether all of the script has happened.
    package var isDone: Bool { script.isEmpty }

    /// One client. The invariant behind `@unchecked Sendable`: it stays on the loop's thread.
    private final class Client: @unchecked Sendable {
        let stream: any ByteStream
        var head: [UInt8] = []
        var isBegun = false
        var upstream: (any ByteStream)?

        init(_ stream: any ByteStream) { self.stream = stream }

        /// The head of the request, once it is whole.
        func take(_ bytes: [UInt8]) -> String? {
            if let upstream {
                upstream.send(bytes)
                return nil
            }
            head += bytes
            guard !isBegun, let end = head.firstRange(of: Array("\r\n\r\n".utf8)) else {
                return nil
            }
            isBegun = true
            return String(decoding: head[..<end.upperBound], as: UTF8.self)
        }
    }

    private func accept(_ stream: any ByteStream) {
        open.append(stream)
        let client = Client(stream)
        stream.start(
            receive: { bytes in
                guard let head = client.take([UInt8](copying: bytes)) else { return }
                self.assumeIsolated { $0.begin(client, head) }
            },
            end: { _ in client.upstream?.close() })
    }

    private func begin(_ client: Client, _ head: String) {
        let lines = head.split(separator: "\r\n")
        let range = lines.first { $0.lowercased().hasPrefix("range:") }
        requests.append(lines[0] + (range.map { " [\($0)]" } ?? ""))
        let fault = script.isEmpty ? .pass : script.removeFirst()
        if case .answer(let text) = fault {
            client.stream.send(Array(text.utf8))
            return client.stream.finish()
        }
        Task {
            let upstream = try await TCPStream.connect(
                to: server, timeout: .seconds(60), on: loop)
            open.append(upstream)
            pass(from: upstream, to: client.stream, fault)
            upstream.send(client.head)
            client.upstream = upstream
        }
    }

    private func note(_ bytes: [UInt8]) {
        let words = String(decoding: bytes.prefix(16), as: UTF8.self).split(separator: " ")
        statuses.append(words.count > 1 ? Int(words[1]) ?? 0 : 0)
    }

    private func pass(
        from upstream: any ByteStream, to stream: any ByteStream, _ fault: Fault
    ) {
        var count = 0
        upstream.start(
            receive: { bytes in
                var copy = [UInt8](copying: bytes)
                let begin = count
                count += copy.count
                // The first bytes of an answer come together.
                if begin == 0 { self.assumeIsolated { $0.note(copy) } }
                switch fault {
                case .pass, .answer: stream.send(copy)
                case .changed(let place):
                    if begin..<count ~= place { copy[place - begin] ^= 0xFF }
                    stream.send(copy)
                case .cut(let limit), .stall(let limit):
                    stream.send(Array(copy.prefix(max(0, limit - begin))))
                    guard count >= limit, case .cut = fault else { return }
                    stream.finish()
                    upstream.close()
                }
            },
            end: { _ in
                if case .stall = fault { return }
                stream.finish()
            })
    }
}
