/// The receiving side of one connection of a server: heads, content, what may wait, what takes too
/// long. It does no I/O and reads no clock.
///
/// Requests are answered one after the other, in the order in which they came. Source: RFC 9112,
/// section 9.
package struct HTTPServerMachine: Sendable {
    package struct Limits: Equatable, Sendable {
        /// What one request may contain.
        package var request = HTTPLimits()
        /// Bytes of later requests that are read while one is answered. Default: 16 KiB.
        package var waitingByteCount = 16 << 10
        /// From a head's first byte to its end. Default: 10 s.
        package var headTime: Duration = .seconds(10)
        /// From a head's end to the content's. Default: 30 s.
        package var contentTime: Duration = .seconds(30)
        /// Between two requests. Default: 60 s.
        package var idleTime: Duration = .seconds(60)
        /// How long, and for how many bytes, a refused client may still send. If the connection were
        /// closed at once, the client's host would drop our answer unread (RFC 9112, section 9.6).
        package var lingerTime: Duration = .seconds(1)
        package var lingerByteCount = 1 << 20

        package init() {}
    }

    package enum Action: Equatable, Sendable {
        /// Answer it, then tell ``HTTPServerMachine/answered()``.
        case answer(HTTPRequestHead, content: [UInt8], closes: Bool)
        /// Send `100 Continue`.
        case askForContent
        /// Send this refusal. Nothing follows it.
        case refuse(HTTPParseError)
        case pauseReading
        case resumeReading
        /// Set the connection's only timer anew; `nil` for no timer.
        case timer(Duration?)
        /// Close once everything has been sent.
        case finish
        case close
    }

    private enum State {
        case head
        case content(HTTPRequestHead, HTTPBodyReader, [UInt8])
        case answering(closes: Bool)
        case lingering(byteCount: Int)
        case closed
    }

    private let limits: Limits
    private var parser: HTTPHeadParser<HTTPRequestHead>
    private var state = State.head
    /// What came after the request that is being answered.
    private var waiting: [UInt8] = []
    private var isPaused = false

    package init(limits: Limits = Limits()) {
        self.limits = limits
        parser = HTTPHeadParser(limits: limits.request)
    }

    package mutating func opened() -> [Action] { [.timer(limits.headTime)] }

    package mutating func received(_ bytes: [UInt8]) -> [Action] {
        switch state {
        case .head, .content: return read(bytes[...])
        case .answering(let closes):
            // Nothing after the last request is read, but a client that leaves is noticed.
            if closes { return [] }
            waiting += bytes
            guard waiting.count > limits.waitingByteCount, !isPaused else { return [] }
            isPaused = true
            return [.pauseReading]
        case .lingering(let byteCount):
            let sum = byteCount + bytes.count
            guard sum <= limits.lingerByteCount else { return close() }
            state = .lingering(byteCount: sum)
            return []
        case .closed: return []
        }
    }

    /// The answer says that the connection ends with it.
    package mutating func closesAfterAnswer() {
        guard case .answering = state else { return }
        state = .answering(closes: true)
        waiting = []
    }

    /// The whole answer has left.
    package mutating func answered() -> [Action] {
        guard case .answering(let closes) = state else { return [] }
        guard !closes else {
            state = .closed
            return [.timer(nil), .finish]
        }
        state = .head
        var actions: [Action] = [.timer(limits.idleTime)]
        if isPaused {
            isPaused = false
            actions.append(.resumeReading)
        }
        guard !waiting.isEmpty else { return actions }
        let bytes = waiting
        waiting = []
        return actions + read(bytes[...])
    }

    package mutating func timedOut() -> [Action] {
        switch state {
        case .head where !parser.hasBegun: close()
        case .head: refuse(.truncated("the head"))
        case .content: refuse(.truncated("its content"))
        case .answering, .lingering: close()
        case .closed: []
        }
    }

    private mutating func close() -> [Action] {
        state = .closed
        return [.timer(nil), .close]
    }

    private mutating func refuse(_ error: HTTPParseError) -> [Action] {
        state = .lingering(byteCount: 0)
        return [.refuse(error), .timer(limits.lingerTime)]
    }

    private mutating func read(_ bytes: ArraySlice<UInt8>) -> [Action] {
        var rest = bytes
        var actions: [Action] = []
        do throws(HTTPParseError) {
            if case .head = state {
                let hadBegun = parser.hasBegun
                guard let head = try parser.parse(&rest)?.checked() else {
                    return !hadBegun && parser.hasBegun ? [.timer(limits.headTime)] : []
                }
                actions += try begin(head, hasContent: !rest.isEmpty)
            }
            guard case .content(let head, var reader, var content) = state else { return actions }
            // Released, so that appending does not copy it.
            state = .closed
            try reader.read(&rest) { content += $0 }
            guard content.count <= limits.request.bodyByteCount else {
                throw .contentTooLong(limit: limits.request.bodyByteCount)
            }
            guard reader.isFinished else {
                state = .content(head, reader, content)
                return actions
            }
            let closes = !head.keepsConnection
            state = .answering(closes: closes)
            waiting = closes ? [] : Array(rest)
            actions += [.timer(nil), .answer(head, content: content, closes: closes)]
            if waiting.count > limits.waitingByteCount {
                isPaused = true
                actions.append(.pauseReading)
            }
            return actions
        } catch {
            return actions + refuse(error)
        }
    }

    /// Begins the content of a request.
    private mutating func begin(
        _ head: HTTPRequestHead, hasContent: Bool
    ) throws(HTTPParseError) -> [Action] {
        let framing = try HTTPBodyFraming(head)
        if case .length(let count) = framing, count > limits.request.bodyByteCount {
            throw .contentTooLong(limit: limits.request.bodyByteCount)
        }
        let reader = HTTPBodyReader(
            framing, limits: limits.request, acceptsBareLineFeed: false)
        state = .content(head, reader, [])
        guard !reader.isFinished else { return [] }
        var actions: [Action] = [.timer(limits.contentTime)]
        // RFC 9110, section 10.1.1.
        let expectations = head.fields.elements("expect").map { $0.lowercased() }
        if let unknown = expectations.first(where: { $0 != "100-continue" }) {
            throw .unknownExpectation(HTTPParseError.quoted(unknown.utf8))
        }
        if !expectations.isEmpty, head.minorVersion >= 1, !hasContent {
            actions.append(.askForContent)
        }
        return actions
    }
}
