import Testing

@testable import Supervisor

@Suite struct LogPieceNameTests {
    @Test func `what is ours is read back`() {
        let greatest: Int64 = 999_999_999_999_999_999
        let names: [LogPieceName] = [
            .copying, .piece(start: 0), .piece(start: 10_485_760), .piece(start: greatest),
            .rotating(start: 65_536, position: 0), .rotating(start: greatest, position: greatest),
        ]
        for name in names {
            #expect(LogPieceName("a.log" + name.suffix, of: "a.log") == name)
            #expect(LogPieceName("b.log" + name.suffix, of: "a.log") == nil)
        }
        #expect(LogPieceName.piece(start: 10_485_760).suffix == ".000000010485760")
    }

    @Test(arguments: [
        "a.log", "a.log.", "a.log.1", "a.log.1.gz", "a.log-20260101", "a.log.00000000000000",
        "a.log.+00000000000001", "a.log.99999999999999999999", "a.log.00000000000001x",
        "a.log.rotating-000000000000000", "a.log.rotating-000000000000000-",
        "a.log.rotating-000000000000000--1", "a.log.9223372036854775807",
        "a.log.1000000000000000000", "a.log.rotating-000000000000000-9223372036854775807",
        "a.log.rotating-9223372036854775807-0", "a.log.0000000000000001",
        "a.log.rotating-000000000000000-00", "a.log.copying2", "xa.log.copying",
    ])
    func `what is not ours is left alone`(_ name: String) {
        #expect(LogPieceName(name, of: "a.log") == nil)
    }
}
