import ExternalTermFormat
import Testing
import Transport

@testable import ErlDist

/// What one peer sends keeps the others waiting for less than 50 ms: the promise of
/// docs/hostile-input.md, measured by the work of the loop's thread, which does not depend on what
/// else the machine does.
@Suite(.timeLimit(.minutes(10)), .serialized) struct LoopDelayTests {
    /// Without optimisation the same takes some five times as long, under a sanitizer much longer.
    private static let limit: Duration = {
        #if DEBUG
            HostileFixture.isSanitized ? .seconds(10) : .milliseconds(250)
        #else
            .milliseconds(50)
        #endif
    }()

    private static let mine = PID(node: "evil@localhost", id: 5, serial: 0, creation: 77)

    private struct Attack: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// What is sent, given a pid of the node's.
        var frames: @Sendable (_ leader: PID) -> [[UInt8]]
        var flags = DistributionFlags.standard
    }

    /// A frame of a registered send to a name that nobody has.
    private static func frame(payload: [UInt8]) -> [UInt8] {
        var encoder = MessageEncoder(flags: .standard)
        var frame = encoder.encode(
            .registeredSend(from: mine, to: "nobody", message: [], token: nil))
        frame.removeLast()
        frame += payload
        patchLength(&frame)
        return frame
    }

    private static func patchLength(_ frame: inout [UInt8]) {
        let length = UInt32(frame.count - 4)
        for index in 0..<4 { frame[index] = UInt8(truncatingIfNeeded: length >> (24 - index * 8)) }
    }

    /// A list of `count` times the same element.
    private static func list(_ element: [UInt8], _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = [108]
        bytes.append(bigEndian: UInt32(count))
        bytes.reserveCapacity(count * element.count + 6)
        // In large pieces: without optimisation each one takes its time.
        let piece = Array(repeatElement(element, count: 1000).joined())
        for _ in 0..<(count / 1000) { bytes += piece }
        for _ in 0..<(count % 1000) { bytes += element }
        return bytes + [106]
    }

    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    private static func call(_ arguments: [Term], _ number: UInt32 = 1) -> [UInt8] {
        var encoder = MessageEncoder(flags: .standard)
        let id = Reference(node: "evil@localhost", creation: 77, words: [number])
        return encoder.encode(
            .spawnRequest(
                SpawnRequest(
                    id: id, from: mine, groupLeader: mine, module: "erpc",
                    function: "execute_call",
                    arguments: [.reference(id), .atom("m"), .atom("f"), .list(arguments)],
                    options: [.atom("monitor")], token: nil)))
    }

    private static func print(_ leader: PID, _ request: Term) -> [UInt8] {
        var encoder = MessageEncoder(flags: .standard)
        return encoder.encode(
            .send(
                from: mine, to: leader,
                message: .tuple([.atom("io_request"), .pid(mine), 1, request]), token: nil))
    }

    private static func fragment(
        _ first: Bool, _ sequence: UInt64, _ number: UInt64, _ bytes: [UInt8]
    ) -> [UInt8] {
        var frame: [UInt8] = [0, 0, 0, 0, 131, first ? 69 : 70]
        frame.append(bigEndian: sequence)
        frame.append(bigEndian: number)
        if first { frame.append(0) }
        frame += bytes
        patchLength(&frame)
        return frame
    }

    /// As many messages of a megabyte as fit, all of which become whole with the last few bytes.
    private static func manyAtOnce() -> [[UInt8]] {
        let whole = frame(payload: list([106], 250_000))
        let body = Array(whole.dropFirst(4 + 3))
        let count: UInt64 = 200
        return (1...count).map { fragment(true, $0, 2, Array(body.dropLast())) }
            + [(1...count).flatMap { fragment(false, $0, 1, [106]) }]
    }

    private static let attacks: [Attack] = {
        func message(_ name: String, _ payload: @escaping @Sendable () -> [UInt8]) -> Attack {
            Attack(testDescription: name, frames: { _ in [frame(payload: payload())] })
        }
        func printing(_ name: String, _ request: @escaping @Sendable () -> Term) -> Attack {
            Attack(testDescription: name, frames: { [print($0, request())] })
        }
        let io: [Term] = [
            .atom("put_chars"), .atom("unicode"), .atom("io_lib"), .atom("format"),
        ]
        return [
            message("four million parts") { list([106], 4_000_000) },
            message("as many parts as there may be") { list([106], 262_000) },
            message("lists of lists") { list([108, 0, 0, 0, 1, 106, 106], 131_000) },
            message("large integers") {
                list([110, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 131_000)
            },
            message("atoms") {
                list([119, 40] + [UInt8](repeating: 97, count: 40), 131_000)
            },
            message("binaries") { list([109, 0, 0, 0, 10] + zeros(10), 262_000) },
            message("pids") {
                list([88, 119, 40] + [UInt8](repeating: 97, count: 40) + zeros(12), 87_000)
            },
            message("small integers") { list([97, 1], 2_000_000) },
            message("an integer of 60 MiB") { [111, 3, 192, 0, 0, 0] + zeros(60 << 20) },
            message("many integers of 64 KiB") {
                list([111, 0, 1, 0, 0, 0] + [UInt8](repeating: 1, count: 1 << 16), 200)
            },
            message("a key of 30 MiB twice") {
                let key: [UInt8] = [109, 1, 224, 0, 0] + zeros(30 << 20)
                return [116, 0, 0, 0, 2] + key + [106] + key + [106]
            },
            Attack(
                testDescription: "a binary of 60 MB as an argument",
                frames: { _ in [call([.binary(zeros(60_000_000))])] }),
            Attack(
                testDescription: "a frame of 60 MiB without fragments",
                frames: { _ in [frame(payload: [109, 3, 192, 0, 0] + zeros(60 << 20))] }),
            Attack(
                testDescription: "thousands of calls",
                frames: { _ in [(0..<4000).flatMap { call([1], $0) }] }),
            Attack(
                testDescription: "messages that become whole together",
                frames: { _ in manyAtOnce() }),
            printing("a format of 20 MiB") {
                .tuple(io + [[.binary([UInt8](repeating: 120, count: 20 << 20)), []]])
            },
            printing("arguments to format") {
                .tuple(
                    io + [
                        [
                            .binary("~p~w~s"),
                            .list([Term](repeating: .binary(zeros(5 << 20)), count: 3)),
                        ]
                    ])
            },
            printing("a large integer to format") {
                .tuple(
                    io + [
                        [
                            .binary("~p"),
                            [
                                Term(
                                    BigInteger(
                                        isNegative: false,
                                        littleEndianMagnitude: [UInt8](
                                            repeating: 255, count: 4 << 20)))
                            ],
                        ]
                    ])
            },
            printing("characters") { .tuple(Array(io[..<2]) + [.binary(zeros(20 << 20))]) },
        ]
    }()

    @Test func `one peer's worst keeps the others waiting for less than the promise`() async throws
    {
        let fixture = try await HostileFixture(.tcp)
        await fixture.node.expose(module: "m") { _, arguments, _ in
            throw arguments.first?.asBinary == nil
                ? ExposedCallError.exception(class: .error, reason: .atom("badarg"))
                : .undefined
        }
        let watch = LoopStopwatch(fixture.node.loop)
        defer { watch.stop() }
        let leader = try await fixture.leader(printing: { _ in })
        for attack in Self.attacks {
            let frames = attack.frames(leader)
            let peer = try await fixture.peer(as: "evil@localhost", flags: attack.flags)
            _ = watch.takeLongest()
            let pings = fixture.pings()
            for frame in frames { await peer.send(frame) }
            // Answered when all before it has been dealt with; or the connection has ended for it.
            await peer.send(HostilePeerTests.ping(.atom("after")))
            try await peer.waitForPong()
            let wall = await pings.stop()
            let longest = watch.takeLongest()
            Swift.print(
                "loop delay: \(longest.inSeconds * 1000) ms of work, ping \(wall.inSeconds * 1000) ms: \(attack.testDescription)"
            )
            #expect(longest < Self.limit, "\(attack.testDescription)")
            await peer.close()
        }
        await fixture.expectService()
        await fixture.end()
    }
}
