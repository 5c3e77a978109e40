import Glibc
import TestKit
import Testing

@testable import Supervisor

/// Names and sizes that nobody's log has: others may have put them into the folder.
@Suite struct LogForgedNameTests {
    static let names = [
        ".9223372036854775807", ".999999999999999999", ".rotating-000000000000000-0",
        ".rotating-000000000000000-9223372036854775807",
        ".rotating-9223372036854775807-9223372036854775807",
        ".rotating-999999999999999999-999999999999999999", ".0000000000000000000",
    ]

    @Test(arguments: names)
    func `a forged name beside a log ends nothing`(_ name: String) throws {
        let world = LogWorld()
        world.append(LogWorld.lines(200_000))
        world.folder.write("forged\n", "app-1-stdout.log" + name)
        #expect(try LogFiles.tail(path: world.path, lines: 3).count == 3)
        _ = try LogFiles.read(
            path: world.path, from: LogPosition(offset: .max, inode: .max), limit: 1024)
        try world.rotation.recover()
        _ = try world.rotation.rotate()
        try world.rotation.rotateByRename()
        _ = try LogFiles.tail(path: world.path, lines: 3)
    }

    @Test func `a log as long as no log is gets an error`() throws {
        let world = LogWorld(.memory)
        world.append(LogWorld.lines(1_000))
        // What holds the file open can seek anywhere and write there.
        try #require(truncate(world.path, off_t.max) == 0)
        let tooLarge = FileSystemError.tooLarge(path: world.path, limit: 1 << 60)
        #expect(throws: tooLarge) { try LogFiles.tail(path: world.path, lines: 3) }
        #expect(throws: tooLarge) { try world.rotation.rotate() }
        #expect(throws: tooLarge) { try world.rotation.recover() }
    }
}
