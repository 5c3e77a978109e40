/// The receiving side of one request: interim responses, the final head, the content's end. It does
/// no I/O and reads no clock.
package struct HTTPResponseMachine: Sendable {
    package enum Action: Equatable, Sendable {
        case wait
        /// The final head has come, and its content has ended.
        case complete(HTTPResponseHead)
        /// The final head has come, but no more of its content is read: there is too much of it, or
        /// it is not what the head announced.
        case completeWithoutEnd(HTTPResponseHead)
        case fail(HTTPParseError)
    }

    private enum State: Sendable {
        case head(interimCount: Int)
        case body(HTTPResponseHead, HTTPBodyReader)
        case finished
    }

    private let limits: HTTPLimits
    private var parser: HTTPHeadParser<HTTPResponseHead>
    private var state = State.head(interimCount: 0)
    private let isHead: Bool
    /// Why the content ended without its end.
    package private(set) var problem: HTTPParseError?

    /// - Parameter method: what is answered; the answer to HEAD has no content.
    package init(limits: HTTPLimits = HTTPLimits(), answers method: String = "GET") {
        self.limits = limits
        isHead = method == "HEAD"
        parser = HTTPHeadParser(limits: limits)
    }

    /// The final head, while its content is read; `nil` before and after.
    package var head: HTTPResponseHead? {
        if case .body(let head, _) = state { head } else { nil }
    }

    /// - Parameter take: gets the content, without the lines around chunks.
    package mutating func received(
        _ bytes: [UInt8], take: (ArraySlice<UInt8>) -> Void = { _ in }
    ) -> Action {
        var rest = bytes[...]
        do throws(HTTPParseError) {
            while case .head(let interimCount) = state {
                guard let head = try parser.parse(&rest) else { return .wait }
                guard head.isInterim else {
                    let reader = HTTPBodyReader(
                        isHead ? .none : try HTTPBodyFraming(head), limits: limits,
                        acceptsBareLineFeed: true)
                    state = .body(head, reader)
                    break
                }
                guard interimCount < limits.interimCount else {
                    throw .tooManyInterimResponses(limit: limits.interimCount)
                }
                state = .head(interimCount: interimCount + 1)
            }
        } catch {
            return finish(.fail(error))
        }
        guard case .body(let head, var reader) = state else {
            preconditionFailure("A finished response receives nothing")
        }
        do throws(HTTPParseError) {
            try reader.read(&rest, take: take)
        } catch {
            problem = error
            return finish(.completeWithoutEnd(head))
        }
        if reader.isFinished { return finish(.complete(head)) }
        if reader.byteCount >= limits.bodyByteCount {
            problem = .contentTooLong(limit: limits.bodyByteCount)
            return finish(.completeWithoutEnd(head))
        }
        state = .body(head, reader)
        return .wait
    }

    package mutating func connectionClosed() -> Action {
        switch state {
        case .head:
            return finish(
                .fail(.truncated(parser.hasBegun ? "the head" : "waiting for a response")))
        case .body(let head, var reader):
            do throws(HTTPParseError) {
                try reader.connectionClosed()
                return finish(.complete(head))
            } catch {
                problem = error
                return finish(.completeWithoutEnd(head))
            }
        case .finished: preconditionFailure("A finished response is not closed again")
        }
    }

    private mutating func finish(_ action: Action) -> Action {
        state = .finished
        return action
    }
}
