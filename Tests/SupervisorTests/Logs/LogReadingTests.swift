import Testing

@testable import Supervisor

/// Reading while somebody rotates: what is read is what was written, wherever between two steps of
/// reading a rotation goes on.
@Suite(.timeLimit(.minutes(2))) struct LogReadingTests {
    /// How far a rotation is before reading begins, and how far the next one is when it goes on.
    static let stops: [LogRotation.Step] = [.copyNamed, .headFreed, .pieceNamed, .holeDropped]

    @Test(arguments: LogWorld.Place.allCases, stops)
    func `a rotation between any two steps of reading is never seen`(
        _ place: LogWorld.Place, _ begin: LogRotation.Step
    ) throws {
        for (index, first) in LogSnapshot.Step.allCases.enumerated() {
            let reading = try InterruptedReading(place, rotatedTo: begin)
            try reading.check([first: reading.complete])
            for stop in Self.stops {
                let reading = try InterruptedReading(place, rotatedTo: begin)
                try reading.check([
                    first: { () throws(FileSystemError) in try reading.rotate(to: stop) }
                ])
                for second in LogSnapshot.Step.allCases[(index + 1)...] {
                    let reading = try InterruptedReading(place, rotatedTo: begin)
                    try reading.check([
                        first: reading.complete,
                        second: { () throws(FileSystemError) in try reading.rotate(to: stop) },
                    ])
                }
            }
        }
    }
}

/// A log of some pieces' length, which is read at its beginning, behind two pieces, and at its end.
private struct InterruptedReading {
    let world: LogWorld
    private static let written = LogWorld.lines(3 * Int(LogLimits.alignment) + 1_000)

    init(_ place: LogWorld.Place, rotatedTo step: LogRotation.Step) throws {
        world = LogWorld(place)
        world.append(Self.written)
        try rotate(to: step)
    }

    func complete() throws(FileSystemError) {
        try world.rotation.recover()
    }

    /// Completes what was begun, and comes to `step` of the next piece.
    func rotate(to step: LogRotation.Step) throws(FileSystemError) {
        do throws(FileSystemError) {
            _ = try world.rotation(stoppedAt: step).rotate()
        } catch {
            guard error == .stopped else { throw error }
        }
    }

    /// Reads, and does something once when reading is that far.
    func check(
        _ actions: [LogSnapshot.Step: () throws(FileSystemError) -> Void],
        _ sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var actions = actions
        let (text, size) = (Self.written, Int64(Self.written.count))
        let offsets = [200, 2 * LogLimits.alignment + 200, size]
        let seen = try LogFiles.withSnapshot(
            world.path,
            onStep: { step throws(FileSystemError) in
                try actions.removeValue(forKey: step)?()
            },
            { snapshot throws(FileSystemError) in
                let chunks = try offsets.map { offset throws(FileSystemError) in
                    try snapshot.chunk(from: LogPosition(offset: offset, inode: 0), limit: 1_000)
                }
                return (chunks: chunks, end: try snapshot.lastLines(0).offset)
            })
        #expect(actions.isEmpty, sourceLocation: sourceLocation)
        for (chunk, offset) in zip(seen.chunks, offsets) {
            let isSame = chunk.bytes == Array(text[Int(offset)...].prefix(1_000))
            #expect(isSame, "at \(offset)", sourceLocation: sourceLocation)
            #expect(
                chunk.lostByteCount == 0 && !chunk.isFromBeginning,
                sourceLocation: sourceLocation)
        }
        #expect(seen.end == size, sourceLocation: sourceLocation)
    }
}
