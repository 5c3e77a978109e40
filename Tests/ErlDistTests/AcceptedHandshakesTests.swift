import Testing

@testable import ErlDist

struct AcceptedHandshakesTests {
    private let near: [UInt8] = [127, 0, 0, 1]
    private let far: [UInt8] = [192, 0, 2, 1]

    @Test func `up to the limit nobody goes`() {
        var handshakes = AcceptedHandshakes<Int, [UInt8]>(limit: 3)
        for id in 1...3 { #expect(handshakes.begin(id, from: near) == nil) }
        #expect(handshakes.count == 3)
    }

    @Test func `the oldest of the address that has most makes room`() {
        var handshakes = AcceptedHandshakes<Int, [UInt8]>(limit: 4)
        _ = handshakes.begin(1, from: far)
        for id in 2...4 { _ = handshakes.begin(id, from: near) }
        #expect(handshakes.begin(5, from: far) == 2)
        #expect(handshakes.begin(6, from: near) == 3)
        #expect(handshakes.count == 4)
    }

    @Test func `a thousand of one address leave one of another in its place`() {
        var handshakes = AcceptedHandshakes<Int, [UInt8]>(limit: 4)
        _ = handshakes.begin(0, from: far)
        for id in 1...1000 { #expect(handshakes.begin(id, from: near) != 0) }
        #expect(handshakes.count == 4)
    }

    @Test func `one that has ended makes room, and does not go again`() {
        var handshakes = AcceptedHandshakes<Int, [UInt8]>(limit: 2)
        _ = handshakes.begin(1, from: near)
        _ = handshakes.begin(2, from: near)
        handshakes.end(1)
        #expect(handshakes.begin(3, from: near) == nil)
        #expect(handshakes.begin(4, from: near) == 2)
    }

    @Test func `one that goes on under another number keeps its place`() {
        var handshakes = AcceptedHandshakes<Int, [UInt8]>(limit: 2)
        _ = handshakes.begin(1, from: near)
        _ = handshakes.begin(2, from: near)
        handshakes.replace(1, by: 7)
        #expect(handshakes.begin(3, from: near) == 7)
        #expect(handshakes.count == 2)
    }
}
