import TestKit
import Testing

@testable import HTTP

private let ok = "HTTP/1.1 200 OK\r\n"

/// A response, how it comes out when all of it has come, and whether closing is part of it.
private struct Sample: CustomTestStringConvertible, Sendable {
    var text: String
    var isWhole: Bool
    var isClosed = false
    var status = 200

    var testDescription: String { text }
}

private let samples: [Sample] = [
    Sample(text: ok + "Content-Length: 5\r\n\r\nhello", isWhole: true),
    Sample(text: ok + "content-length: 0\r\n\r\n", isWhole: true),
    Sample(text: ok + "Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello", isWhole: true),
    Sample(text: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", isWhole: true),
    Sample(
        text: ok + "transfer-encoding: gzip, Chunked\r\n\r\nA;x=\"y\"\r\n0123456789\r\n00\r\n"
            + "Trailer: t\r\n\r\n",
        isWhole: true),
    Sample(text: "HTTP/1.1 204 None\r\n\r\n", isWhole: true, status: 204),
    Sample(text: "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", isWhole: true, status: 304),
    Sample(
        text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"
            + "HTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\r\nx",
        isWhole: true, status: 503),
    Sample(text: ok + "\r\nuntil the end", isWhole: true, isClosed: true),
    Sample(text: "HTTP/1.0 200 OK\r\n\r\n", isWhole: true, isClosed: true),
    Sample(text: ok + "Content-Length: 5\r\n\r\nhell", isWhole: false, isClosed: true),
    Sample(
        text: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", isWhole: false,
        isClosed: true),
    Sample(
        text: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd", isWhole: false, isClosed: true),
    Sample(text: ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", isWhole: false),
    Sample(text: ok + "Transfer-Encoding: chunked\r\n\r\n\r\n", isWhole: false),
    Sample(text: ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", isWhole: false),
    Sample(text: "HTTP/1.1 101 Switch\r\n\r\n", isWhole: true, status: 101),
]

@Suite struct HTTPResponseMachineTests {
    /// What comes out of `parts`, closing after them when asked.
    private func run(_ parts: [ArraySlice<UInt8>], closing: Bool) -> HTTPResponseMachine.Action {
        var machine = HTTPResponseMachine()
        for part in parts where !part.isEmpty {
            let action = machine.received(Array(part))
            if action != .wait { return action }
        }
        return closing ? machine.connectionClosed() : .wait
    }

    @Test(arguments: samples)
    private func `it comes out the same in every split`(_ sample: Sample) throws {
        let all = Array(sample.text.utf8)
        for split in 0...all.count {
            let action = run([all[..<split], all[split...]], closing: sample.isClosed)
            switch action {
            case .complete(let head):
                #expect(sample.isWhole && head.status == sample.status)
            case .completeWithoutEnd(let head):
                #expect(!sample.isWhole && head.status == sample.status)
            case .wait, .fail: Issue.record("\(action) at \(split)")
            }
        }
        #expect(run(all.indices.map { all[$0...$0] }, closing: sample.isClosed) != .wait)
    }

    @Test(arguments: samples)
    private func `no prefix of it is taken for it`(_ sample: Sample) throws {
        let all = Array(sample.text.utf8)
        for count in 0..<all.count {
            let action = run([all[..<count]], closing: false)
            switch action {
            case .wait: break
            // What is wrong with the content may be seen before its end.
            case .completeWithoutEnd: #expect(!sample.isWhole)
            case .complete, .fail: Issue.record("\(action) after \(count) bytes")
            }
        }
    }

    @Test(arguments: [
        (ok + "Content-Length: x\r\n\r\n", HTTPParseError.badContentLength("x")),
        (ok + "Content-Length: -1\r\n\r\n", .badContentLength("-1")),
        (ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", .badContentLength("5, 6")),
        (
            ok + "Content-Length: 9999999999999999999\r\n\r\n",
            .badContentLength("9999999999999999999")
        ),
        (ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", .badContentLength("5")),
        (
            ok + "Transfer-Encoding: chunked, chunked\r\n\r\n",
            .badTransferCoding("chunked, chunked")
        ),
        ("garbage\r\n", .badStatusLine("garbage")),
    ])
    func `a head that says no length that holds is refused`(
        _ text: String, _ error: HTTPParseError
    ) {
        var machine = HTTPResponseMachine()
        #expect(machine.received(Array(text.utf8)) == .fail(error))
    }

    @Test func `a connection that ends before a head says where`() {
        var machine = HTTPResponseMachine()
        #expect(machine.connectionClosed() == .fail(.truncated("waiting for a response")))
        machine = HTTPResponseMachine()
        #expect(machine.received(Array("HTT".utf8)) == .wait)
        #expect(machine.connectionClosed() == .fail(.truncated("the head")))
    }

    @Test func `interim responses and content end at their limits`() {
        var limits = HTTPLimits()
        limits.interimCount = 2
        limits.bodyByteCount = 10
        let interim = "HTTP/1.1 100 Continue\r\n\r\n"
        var machine = HTTPResponseMachine(limits: limits)
        #expect(machine.received(Array((interim + interim).utf8)) == .wait)
        #expect(machine.received(Array(interim.utf8)) == .fail(.tooManyInterimResponses(limit: 2)))
        machine = HTTPResponseMachine(limits: limits)
        #expect(machine.received(Array((ok + "\r\n123456789").utf8)) == .wait)
        guard case .completeWithoutEnd(let head) = machine.received([48]) else {
            Issue.record("content without an end")
            return
        }
        #expect(head.status == 200)
    }

    /// Whatever comes, it ends in an action and the same one in one piece and byte by byte.
    @Test func `random changes of responses never trap`() throws {
        var generator = SeededRandom(seed: 0x9E37)
        let inserts = Array("\r\n\r\n: ,;0fF\0\u{7F}HTTP/1.1 chunked".utf8) + [0xFF, 0x80]
        var counts: [String: Int] = [:]
        for round in 0..<20_000 {
            let sample = samples[round % samples.count]
            var all = Array(sample.text.utf8)
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                let index = Int.random(in: 0..<all.count, using: &generator)
                let byte = inserts.randomElement(using: &generator) ?? 0
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: all[index] = byte
                case 1: all.insert(byte, at: index)
                case 2 where all.count > 1: all.remove(at: index)
                case 3: all[index] = UInt8.random(in: 0...255, using: &generator)
                default: all.insert(contentsOf: all[index...].prefix(9), at: index)
                }
            }
            let whole = run([all[...]], closing: true)
            try #require(whole == run(all.indices.map { all[$0...$0] }, closing: true))
            switch whole {
            case .wait: counts["wait", default: 0] += 1
            case .complete: counts["complete", default: 0] += 1
            case .completeWithoutEnd: counts["without end", default: 0] += 1
            case .fail: counts["fail", default: 0] += 1
            }
        }
        #expect(counts["wait"] == nil)
        for kind in ["complete", "without end", "fail"] { #expect(counts[kind, default: 0] > 500) }
    }
}
