internal import Dispatch
internal import Glibc
internal import Synchronization

/// Clients that ask the example over HTTP, each one a thousandth of a second after its last answer. They check every body, repeat
/// no request, and count what has failed.
package final class LoadClient: Sendable {
    package enum Kind: Sendable, CaseIterable {
        case connectionPerRequest, keepAlive
    }

    package struct Figures: Sendable, CustomStringConvertible {
        package var answerCount = 0
        /// What became of each request that was not answered well.
        package var failures: [String] = []
        /// Requests on a kept connection that the server closed just then: they are a client's to repeat.
        package var closedWhileIdleCount = 0
        package var longestWait = Duration.zero
        /// The instances that have answered.
        package var instances: Set<Int> = []
        package var waits: [Duration] = []

        /// The wait that so many percent of the requests have not exceeded.
        package func wait(percent: Double) -> Duration {
            let sorted = waits.sorted()
            guard !sorted.isEmpty else { return .zero }
            return sorted[min(sorted.count - 1, Int(Double(sorted.count) * percent / 100))]
        }

        package var description: String {
            "\(answerCount) answered, \(failures.count) failed, \(closedWhileIdleCount) closed while idle, "
                + "p99.9 \(wait(percent: 99.9)), longest \(longestWait)"
                + (failures.isEmpty ? "" : ": \(Set(failures).sorted().prefix(5))")
        }
    }

    private let figures = Mutex(Figures())
    private let isStopped = Atomic(false)
    private let group = DispatchGroup()

    /// - Parameter count: how many clients of each kind.
    package init(port: Int, count: Int, kinds: [Kind] = Kind.allCases) {
        let queue = DispatchQueue(label: "load", attributes: .concurrent)
        for kind in kinds {
            for _ in 0..<count {
                queue.async(group: group) { [self] in
                    var client = Client(port: port, kind: kind)
                    while !isStopped.load(ordering: .relaxed) {
                        note(client.ask())
                        // The processor is everybody's.
                        usleep(1000)
                    }
                    client.close()
                }
            }
        }
    }

    /// How many answers have come so far.
    package var answerCount: Int { figures.withLock { $0.answerCount } }

    /// Ends all clients, each after its present request.
    package func stop() -> Figures {
        isStopped.store(true, ordering: .relaxed)
        group.wait()
        return figures.withLock { $0 }
    }

    private func note(_ outcome: Client.Outcome) {
        figures.withLock { figures in
            switch outcome {
            case .answered(let instance, let wait):
                figures.answerCount += 1
                figures.instances.insert(instance)
                figures.longestWait = max(figures.longestWait, wait)
                figures.waits.append(wait)
            case .failed(let text): figures.failures.append(text)
            case .closedWhileIdle: figures.closedWhileIdleCount += 1
            }
        }
        // A server that is gone must not be asked a million times.
        if case .failed = outcome { usleep(5000) }
    }

    private struct Client {
        enum Outcome {
            case answered(instance: Int, Duration)
            case failed(String)
            case closedWhileIdle
        }

        let port: Int
        let kind: Kind
        private var raw: Int32 = -1
        private var isKept = false
        private var count = 0

        init(port: Int, kind: Kind) {
            self.port = port
            self.kind = kind
        }

        mutating func close() {
            if raw >= 0 { Glibc.close(raw) }
            raw = -1
            isKept = false
        }

        mutating func ask() -> Outcome {
            let begin = ContinuousClock.now
            if isKept {
                // As clients with a pool do: a connection that the server has closed is not used.
                var byte: UInt8 = 0
                if recv(raw, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0 {
                    close()
                }
            }
            if raw < 0 {
                raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
                // Longer than a boot on the slowest machine.
                var limit = timeval(tv_sec: 120, tv_usec: 0)
                let length = socklen_t(MemoryLayout<timeval>.size)
                setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, length)
                setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, length)
                guard FreePorts.connectToLoopback(raw, port: port) else {
                    defer { close() }
                    return .failed("connecting: errno \(errno)")
                }
            }
            count += 1
            let connection = kind == .keepAlive ? "keep-alive" : "close"
            let body = count.isMultiple(of: 2) ? "" : "some=body"
            let line = body.isEmpty ? "GET /" : "POST /increment"
            let request = Array(
                ("\(line) HTTP/1.1\r\nHost: localhost\r\nConnection: \(connection)\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8)
            let wasKept = isKept
            let outcome: Outcome
            switch exchange(request) {
            case .success(let answer) where answer.isGood:
                outcome = .answered(instance: answer.instance, .now - begin)
                isKept = kind == .keepAlive && !answer.isLast
                if !isKept { close() }
            case .success(let answer):
                outcome = .failed("a strange answer: \(answer.text.prefix(200))")
                close()
            case .failure(let end):
                outcome =
                    wasKept && end.byteCount == 0 && end.code == 0
                    ? .closedWhileIdle
                    : .failed("after \(end.byteCount) bytes: errno \(end.code)")
                close()
            }
            return outcome
        }

        private struct End: Error {
            var byteCount: Int
            /// 0 at the end of the stream.
            var code: Int32
        }

        private struct Answer {
            var head: Substring
            var body: Substring
            var text: String

            var isGood: Bool {
                head.hasPrefix("HTTP/1.1 200 ") && body.hasPrefix(#"{"app":"counter","#)
                    && body.hasSuffix("}\n")
            }
            var isLast: Bool { head.contains("\r\nConnection: close") }
            var instance: Int {
                guard let place = body.firstRange(of: #""instance":"#) else { return 0 }
                return Int(body[place.upperBound...].prefix { $0.isNumber }) ?? 0
            }
        }

        private func exchange(_ request: [UInt8]) -> Result<Answer, End> {
            guard send(raw, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
            else {
                let code = errno
                return .failure(End(byteCount: 0, code: code == EPIPE ? 0 : code))
            }
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let text = String(decoding: bytes, as: UTF8.self)
                if let end = text.firstRange(of: "\r\n\r\n"),
                    let length = text.firstRange(of: "Content-Length: "),
                    let count = Int(text[length.upperBound...].prefix { $0.isNumber }),
                    text[end.upperBound...].utf8.count >= count
                {
                    return .success(
                        Answer(
                            head: text[..<end.upperBound], body: text[end.upperBound...],
                            text: text))
                }
                let got = recv(raw, &buffer, buffer.count, 0)
                guard got > 0 else {
                    return .failure(End(byteCount: bytes.count, code: got == 0 ? 0 : errno))
                }
                bytes += buffer[..<got]
            }
        }
    }
}
