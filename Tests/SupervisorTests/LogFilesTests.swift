import Foundation
import Testing

@testable import Supervisor

@Suite struct LogFilesTests {
    let folder = TemporaryFolder()
    let name = InstanceName(app: "counter", index: 1)
    var logs: LogFiles { LogFiles(root: folder.path) }

    @Test func `each stream has a file in the application's folder`() throws {
        #expect(logs.path(name, .stdout) == folder("counter/counter-1-stdout.log"))
        #expect(logs.path(name, .stderr) == folder("counter/counter-1-stderr.log"))
        try logs.prepare(app: "counter", fileSystem: HostFileSystem())
        #expect(try HostFileSystem().status(folder("counter"))?.mode == 0o750)
        #expect(try logs.tail(name, .stdout, lines: 5) == [])
    }

    private func tail(_ text: String, _ count: Int) throws -> [String] {
        folder.write(text, "log")
        return try LogFiles.tail(path: folder("log"), lines: count)
    }

    @Test func `the last lines come in order, with or without a last line end`() throws {
        #expect(try tail("a\nb\nc\n", 2) == ["b", "c"])
        #expect(try tail("a\nb\nc", 2) == ["b", "c"])
        #expect(try tail("a\r\nb\r\n", 9) == ["a", "b"])
        #expect(try tail("a\n\n\n", 2) == ["", ""])
        #expect(try tail("\n", 2) == [""])
        #expect(try tail("", 2) == [])
        #expect(try tail("a\n", 0) == [])
        #expect(try tail("a\n", -1) == [])
    }

    @Test func `lines are found across the pieces of a long file`() throws {
        let lines = (0..<40_000).map { "line \($0)" }
        let text = lines.joined(separator: "\n") + "\n"
        for count in [1, 12_000, 40_000, 50_000] {
            #expect(try tail(text, count) == Array(lines.suffix(count)), "\(count)")
        }
    }

    @Test func `no more than a MiB is read`() throws {
        let long = String(repeating: "x", count: 3 << 20)
        let lines = try tail("first\n\(long)\nlast\n", 3)
        #expect(lines.count == 2)
        #expect(lines.last == "last")
        #expect(lines.first?.utf8.count == (1 << 20) - 6)
    }

    @Test func `bytes that are no text do not stop it`() throws {
        try Data([0xFF, 0x0A, 0x61, 0x0A]).write(to: URL(fileURLWithPath: folder("log")))
        #expect(try LogFiles.tail(path: folder("log"), lines: 2) == ["\u{FFFD}", "a"])
    }
}
