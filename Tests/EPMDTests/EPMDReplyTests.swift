import TestKit
import Testing

@testable import EPMD

private let node = EPMDNodeInfo(
    name: "app-1", port: 0x1234, type: .normal, highestVersion: 6, lowestVersion: 5, extra: [1, 2])

private let nodeBytes: [UInt8] =
    [119, 0, 0x12, 0x34, 77, 0, 0, 6, 0, 5, 0, 5] + Array("app-1".utf8) + [0, 2, 1, 2]

private let listing: [UInt8] =
    [0, 0, 0x11, 0x11] + Array("name a at port 1\nname b c at port 65535\n".utf8)

@Suite struct EPMDReplyTests {
    /// Feeds `bytes` split at every place, and byte by byte; the same must come out each time.
    private func expect<Decoder: EPMDReplyDecoder>(
        _ decoder: Decoder, _ bytes: [UInt8], gives reply: Decoder.Reply
    ) throws where Decoder.Reply: Equatable {
        for split in 0...bytes.count {
            var decoder = decoder
            let first = try decoder.receive(bytes[..<split])
            #expect(first == (split == bytes.count ? reply : nil))
            if split < bytes.count { #expect(try decoder.receive(bytes[split...]) == reply) }
        }
        var single = decoder
        for byte in bytes.dropLast() { #expect(try single.receive([byte]) == nil) }
        #expect(try single.receive(bytes.suffix(1)) == reply)
        for count in 0..<bytes.count {
            var decoder = decoder
            _ = try decoder.receive(bytes[..<count])
            #expect(throws: count == 0 ? EPMDReplyError.notAnswered : .truncated) {
                try decoder.connectionClosed()
            }
        }
    }

    @Test func `a registration is answered in the long form from version 6 on`() throws {
        let reply = EPMDAliveReply.registered(creation: 0x6B04_812E)
        let bytes: [UInt8] = [118, 0, 0x6B, 0x04, 0x81, 0x2E]
        #expect(reply.encoded(highestVersion: 6) == bytes)
        try expect(EPMDAliveReplyDecoder(), bytes, gives: reply)
    }

    @Test func `a registration is answered in the short form before version 6`() throws {
        let reply = EPMDAliveReply.registered(creation: 3)
        #expect(reply.encoded(highestVersion: 5) == [121, 0, 0, 3])
        try expect(EPMDAliveReplyDecoder(), [121, 0, 0, 3], gives: reply)
    }

    @Test func `a refused registration has the bytes that OTP's daemon sends`() throws {
        let reply = EPMDAliveReply.refused(result: 1)
        #expect(reply.encoded(highestVersion: 6) == [118, 1, 0, 0, 0, 99])
        #expect(reply.encoded(highestVersion: 5) == [121, 1, 0, 99])
        try expect(EPMDAliveReplyDecoder(), [118, 1, 0, 0, 0, 99], gives: reply)
    }

    @Test func `a node that was found has the bytes of the specification`() throws {
        #expect(EPMDPortReply.found(node).encoded == nodeBytes)
        try expect(EPMDPortReplyDecoder(), nodeBytes, gives: .found(node))
    }

    @Test func `a node that was not found is 2 bytes`() throws {
        #expect(EPMDPortReply.notRegistered(result: 1).encoded == [119, 1])
        try expect(EPMDPortReplyDecoder(), [119, 1], gives: .notRegistered(result: 1))
    }

    @Test func `a listing is a port and lines, and ends with the connection`() throws {
        let names = [EPMDName(name: "a", port: 1), EPMDName(name: "b c", port: 65535)]
        let expected = EPMDListing(port: 0x1111, names: names)
        #expect(expected.encoded == listing)
        for split in 0...listing.count {
            var decoder = EPMDListingDecoder()
            #expect(try decoder.receive(listing[..<split]) == nil)
            #expect(try decoder.receive(listing[split...]) == nil)
            #expect(try decoder.connectionClosed() == expected)
        }
        #expect(expected.names == names)
    }

    @Test func `a listing that ends within a line is truncated`() throws {
        for count in 0..<listing.count where count != 4 && count != 21 {
            var decoder = EPMDListingDecoder()
            _ = try decoder.receive(listing[..<count])
            #expect(throws: count == 0 ? EPMDReplyError.notAnswered : .truncated) {
                try decoder.connectionClosed()
            }
        }
    }

    @Test func `a line of another form does not hide the other names`() {
        let text = "name n\nx at port 5\nname  at port 1\nname a at port 70000\nname a at port 7\n"
        let listing = EPMDListing(port: 1, text: Array(text.utf8))
        #expect(listing.names == [EPMDName(name: "a", port: 7)])
    }

    @Test func `a listing has a limit`() throws {
        var decoder = EPMDListingDecoder()
        let megabyte = [UInt8](repeating: 97, count: 1 << 20)
        #expect(try decoder.receive(megabyte) == nil)
        #expect(throws: EPMDReplyError.tooLong(byteCount: 1 << 20 + 1)) {
            try decoder.receive(megabyte)
        }
    }

    @Test(arguments: [
        ("OK", EPMDCommandReply.ok), ("NO", .no), ("STOPPED", .stopped), ("NOEXIST", .noSuchName),
        ("NOEXISTSTOPPED", .noSuchName),
    ])
    func `a command is answered by a word`(word: String, reply: EPMDCommandReply) throws {
        var decoder = EPMDCommandReplyDecoder()
        for byte in word.utf8 { #expect(try decoder.receive([byte]) == nil) }
        #expect(try decoder.connectionClosed() == reply)
        #expect(word.utf8.starts(with: reply.encoded))
    }

    @Test func `what is not EPMD's answer is refused by its first byte`() throws {
        let http = Array("HTTP/1.1 400 Bad Request\r\n".utf8)
        var alive = EPMDAliveReplyDecoder()
        var port = EPMDPortReplyDecoder()
        var command = EPMDCommandReplyDecoder()
        #expect(throws: EPMDReplyError.unexpectedCode(72)) { try alive.receive(http) }
        #expect(throws: EPMDReplyError.unexpectedCode(72)) { try port.receive(http) }
        _ = try command.receive(http)
        #expect(throws: EPMDReplyError.unexpectedCode(72)) { try command.connectionClosed() }
        var closed = EPMDCommandReplyDecoder()
        #expect(throws: EPMDReplyError.notAnswered) { try closed.connectionClosed() }
    }

    @Test func `a node with an invalid name is refused`() {
        var bytes = nodeBytes
        bytes[12] = 0xFF
        var decoder = EPMDPortReplyDecoder()
        #expect(throws: EPMDReplyError.invalidName) { try decoder.receive(bytes) }
    }

    @Test func `mutated replies never trap a decoder`() {
        var random = SeededRandom(seed: 7)
        func feed(_ decoder: some EPMDReplyDecoder, _ bytes: [UInt8]) {
            var decoder = decoder
            for chunk in bytes.chunks(using: &random) {
                do { if try decoder.receive(chunk) != nil { return } } catch { return }
            }
            _ = try? decoder.connectionClosed()
        }
        for _ in 0..<10_000 {
            for bytes in [nodeBytes, listing, [118, 0, 1, 2, 3, 4], Array("STOPPED".utf8)] {
                var bytes = bytes
                bytes.mutate(using: &random)
                feed(EPMDAliveReplyDecoder(), bytes)
                feed(EPMDPortReplyDecoder(), bytes)
                feed(EPMDListingDecoder(), bytes)
                feed(EPMDCommandReplyDecoder(), bytes)
                _ = EPMDListing(port: 1, text: bytes).names
            }
        }
    }
}
