import TestKit
import Testing

@testable import HTTP

@Suite struct HTTPServerMachineTests {
    private typealias Action = HTTPServerMachine.Action

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// What a machine does that gets `text` in pieces and answers each request at once; without
    /// timers and pauses.
    private func run(
        _ text: String, pieces: [Int] = [], limits: HTTPServerMachine.Limits = .init()
    ) -> [Action] {
        var machine = HTTPServerMachine(limits: limits)
        var queue: [Action] = machine.opened()
        var found: [Action] = []
        let all = bytes(text)
        let ends = pieces + [all.count]
        var start = 0
        for end in ends where end >= start {
            queue += machine.received(Array(all[start..<end]))
            start = end
            while !queue.isEmpty {
                switch queue.removeFirst() {
                case .answer(let head, let content, let closes):
                    found.append(.answer(head, content: content, closes: closes))
                    queue += machine.answered()
                case .timer, .pauseReading, .resumeReading: break
                case let action: found.append(action)
                }
            }
        }
        return found
    }

    private func answer(
        _ method: String, _ target: String, _ fields: [HTTPField] = [], _ content: String = "",
        closes: Bool = false
    ) -> Action {
        .answer(
            HTTPRequestHead(
                method: method, target: target, fields: [HTTPField("Host", "a")] + fields,
                host: "a"), content: bytes(content), closes: closes)
    }

    @Test func `requests over one connection are answered in order, in every split`() {
        let text =
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\n"
            + "Content-Length: 3\r\n\r\nabcPOST /3 HTTP/1.1\r\nHost: a\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x\r\nf\r\n0\r\nT: r\r\n\r\n"
            + "GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /5 HTTP/1.1\r\n"
        let expected = [
            answer("GET", "/1"), answer("POST", "/2", [HTTPField("Content-Length", "3")], "abc"),
            answer("POST", "/3", [HTTPField("Transfer-Encoding", "chunked")], "def"),
            answer("GET", "/4", [HTTPField("Connection", "close")], closes: true), .finish,
        ]
        for first in 0...bytes(text).count {
            #expect(run(text, pieces: [first]) == expected, "at \(first)")
        }
        #expect(run(text, pieces: Array(0...bytes(text).count)) == expected)
    }

    @Test(arguments: MalformedRequest.all)
    func `what is malformed is refused, whole and byte by byte`(_ request: MalformedRequest) {
        for pieces in [[], Array(0...min(bytes(request.text).count, 2_000))] {
            let found = run(request.text, pieces: pieces)
            guard found.count == 1, case .refuse(let error)? = found.first else {
                Issue.record("not refused: \(found)")
                continue
            }
            #expect(error.status == request.status, "\(error)")
        }
    }

    @Test func `there are at least sixty malformed requests`() {
        #expect(MalformedRequest.all.count >= 60)
    }

    @Test func `nothing is read after a refusal`() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(run("x\r\n" + get) == [.refuse(.badRequestLine("x"))])
        #expect(run("x\r\n" + get, pieces: [3]) == [.refuse(.badRequestLine("x"))])
    }

    @Test func `later requests wait, and reading pauses when too much of them waits`() {
        var limits = HTTPServerMachine.Limits()
        limits.waitingByteCount = 40
        var machine = HTTPServerMachine(limits: limits)
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(machine.received(bytes(get)) == [.timer(nil), answer("GET", "/")])
        #expect(machine.received(bytes(get)) == [])
        #expect(machine.received(bytes(get)) == [.pauseReading])
        let idle = Action.timer(limits.idleTime)
        #expect(
            machine.answered() == [idle, .resumeReading, .timer(nil), answer("GET", "/")])
        #expect(machine.answered() == [idle, .timer(nil), answer("GET", "/")])
        #expect(machine.answered() == [idle])
    }

    @Test func `each part of a request has its time`() {
        let limits = HTTPServerMachine.Limits()
        var machine = HTTPServerMachine()
        #expect(machine.opened() == [.timer(limits.headTime)])
        // A client that says nothing is closed without an answer.
        var silent = machine
        #expect(silent.timedOut() == [.timer(nil), .close])
        #expect(machine.received(bytes("P")) == [.timer(limits.headTime)])
        // Each further byte does not prolong it.
        #expect(machine.received(bytes("OST / HTTP/1.1\r\nHost: a\r\n")) == [])
        var slow = machine
        #expect(slow.timedOut() == [.refuse(.truncated("the head")), .timer(limits.lingerTime)])
        #expect(slow.timedOut() == [.timer(nil), .close])
        #expect(
            machine.received(bytes("Content-Length: 2\r\n\r\n")) == [.timer(limits.contentTime)])
        #expect(machine.received(bytes("a")) == [])
        #expect(
            machine.timedOut() == [.refuse(.truncated("its content")), .timer(limits.lingerTime)])
        #expect(HTTPParseError.truncated("").status == 408)
    }

    @Test func `content that is waited for is asked for, once`() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n"
        let limits = HTTPServerMachine.Limits()
        var machine = HTTPServerMachine()
        #expect(machine.received(bytes(head)) == [.timer(limits.contentTime), .askForContent])
        // The content is there already.
        var other = HTTPServerMachine()
        #expect(!other.received(bytes(head + "x")).contains(.askForContent))
    }

    @Test func `a refused client may not send without end`() {
        var limits = HTTPServerMachine.Limits()
        limits.lingerByteCount = 10
        var machine = HTTPServerMachine(limits: limits)
        _ = machine.received(bytes("x\r\n"))
        #expect(machine.received(bytes("0123456789")) == [])
        #expect(machine.received(bytes("0")) == [.timer(nil), .close])
        #expect(machine.received(bytes("0")) == [])
    }

    @Test func `content has exactly the length that is allowed`() {
        var limits = HTTPServerMachine.Limits()
        limits.request.bodyByteCount = 4
        let post = "POST / HTTP/1.1\r\nHost: a\r\n"
        for (text, isAllowed) in [
            ("Content-Length: 4\r\n\r\nabcd", true), ("Content-Length: 5\r\n\r\nabcde", false),
            ("Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", true),
            ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", false),
        ] {
            let found = run(post + text, limits: limits)
            #expect((found == [.refuse(.contentTooLong(limit: 4))]) != isAllowed, "\(text)")
        }
    }
}
