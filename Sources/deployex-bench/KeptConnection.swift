internal import TestKit
internal import Transport

/// An HTTP connection that is asked again and again. Of an answer only the length is looked at.
actor KeptConnection {
    private nonisolated let loop: EventLoop
    private let stream: TCPStream
    private var bytes: [UInt8] = []
    /// How many bytes the answer has, once its head has come.
    private var wanted: Int?
    private var isEnded = false
    private var waiter: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private init(_ stream: TCPStream, on loop: EventLoop) {
        self.stream = stream
        self.loop = loop
    }

    static func open(to address: SocketAddress, on loop: EventLoop) async throws -> KeptConnection {
        let stream = try await TCPStream.connect(to: address, timeout: .seconds(20), on: loop)
        let connection = KeptConnection(stream, on: loop)
        await connection.start()
        return connection
    }

    private func start() {
        stream.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes)
                self.assumeIsolated { $0.received(copy) }
            },
            end: { _ in self.assumeIsolated { $0.ended() } })
    }

    /// Returns when the whole answer has come.
    func ask(_ request: String) async throws(TestFailure) {
        bytes = []
        wanted = nil
        stream.send(Array(request.utf8))
        await withCheckedContinuation { if isEnded { $0.resume() } else { waiter = $0 } }
        guard let wanted, bytes.count == wanted else {
            throw TestFailure("the server has closed the connection")
        }
    }

    func close() { stream.close() }

    private func received(_ more: [UInt8]) {
        bytes += more
        if wanted == nil {
            let text = String(decoding: bytes, as: UTF8.self)
            guard let head = text.firstRange(of: "\r\n\r\n") else { return }
            let length = text[..<head.lowerBound].firstMatch(of: #/(?i)content-length: *([0-9]+)/#)
            wanted =
                text.utf8.distance(from: text.startIndex, to: head.upperBound)
                + (length.flatMap { Int($0.1) } ?? 0)
        }
        if let wanted, bytes.count >= wanted { answered() }
    }

    private func ended() {
        isEnded = true
        answered()
    }

    private func answered() {
        waiter?.resume()
        waiter = nil
    }
}

/// A client of an event stream. It counts the events, and keeps nothing.
actor StreamReader {
    private nonisolated let loop: EventLoop
    private let stream: TCPStream
    private var lineCount = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private init(_ stream: TCPStream, on loop: EventLoop) {
        self.stream = stream
        self.loop = loop
    }

    static func open(
        _ request: String, at address: SocketAddress, on loop: EventLoop
    ) async throws -> StreamReader {
        let stream = try await TCPStream.connect(to: address, timeout: .seconds(20), on: loop)
        let reader = StreamReader(stream, on: loop)
        await reader.start(request)
        return reader
    }

    /// An event has two lines and an empty one.
    var eventCount: Int { lineCount / 3 }

    private func start(_ request: String) {
        stream.start(
            receive: { bytes in
                var count = 0
                for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") { count += 1 }
                self.assumeIsolated { $0.lineCount += count }
            },
            end: { _ in })
        stream.send(Array(request.utf8))
    }

    func close() { stream.close() }
}
