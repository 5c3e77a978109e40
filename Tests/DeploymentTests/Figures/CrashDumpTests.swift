import FoundationEssentials
import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

private let dumpText = """
    =erl_crash_dump:0.5
    Mon Nov 30 02:06:49 2026
    Slogan: boom <script>
    of two lines: really
    System version: Erlang/OTP 27 [erts-15.2.7] [source] [64-bit]
    Taints: crypto
    Atoms: 8599
    Calling Thread: scheduler:1
    =scheduler:1
    Name: no process
    Memory: 5
    =memory
    total: 24680928
    processes: 12345
    nonsense
    =proc:<0.0.0>
    State: Waiting
    Name: init
    Spawned as: erl_init:start/2
    Message queue length: 0
    Reductions: 4008
    Memory: 13712
    Program counter: 0x00007fcecce08494 (init:boot_loop/2 + 92)
    =proc:<0.80.0>
    State: Running
    Message queue length: 3000
    Memory: 2640
    =proc_heap:<0.80.0>
    7F344DE085BC:t2:A4:name,N
    Memory: 99999999
    =end
    """

private func read(_ text: String, by size: Int = .max) -> CrashDump? {
    var reader = CrashDumpReader()
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        reader.read(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
    }
    return reader.finish()
}

@Suite struct CrashDumpTests {
    @Test func `a dump tells why, when, and which processes were large`() throws {
        let dump = try #require(read(dumpText))
        #expect(dump.slogan == "boom <script>\nof two lines: really")
        #expect(dump.date == "Mon Nov 30 02:06:49 2026")
        #expect(dump.systemVersion.hasPrefix("Erlang/OTP 27"))
        #expect(dump.atomCount == 8599)
        #expect(dump.memory.map(\.kind) == ["total", "processes"])
        #expect(dump.memory.map(\.byteCount) == [24_680_928, 12_345])
        #expect(dump.processCount == 2)
        #expect(dump.largest.map(\.pid) == ["<0.0.0>", "<0.80.0>"])
        #expect(dump.largest[0].name == "init")
        #expect(dump.largest[0].currentFunction == "init:boot_loop/2")
        #expect(dump.busiest.map(\.pid) == ["<0.80.0>"])
        #expect(dump.busiest[0].memoryByteCount == 2640)
        #expect(dump.isComplete)
    }

    @Test(arguments: [1, 2, 3, 7, 64, 1000])
    func `it is the same in pieces of any size`(_ size: Int) {
        #expect(read(dumpText, by: size) == read(dumpText))
    }

    @Test func `every beginning of a dump is read, and none but the whole is complete`() {
        let bytes = Array(dumpText.utf8)
        for count in 21..<bytes.count {
            let dump = read(String(decoding: bytes[..<count], as: UTF8.self))
            #expect(dump != nil)
            #expect(dump?.isComplete == false)
        }
    }

    @Test(arguments: ["", "hello\nworld\n", "=proc:<0.0.0>\nName: a\n", "\n=erl_crash_dump:0.5\n"])
    func `what is no crash dump is none`(_ text: String) {
        #expect(read(text) == nil)
    }

    @Test func `the largest processes are kept, and no more`() throws {
        var text = "=erl_crash_dump:0.5\n"
        for number in 0..<1000 {
            text += "=proc:<0.\(number).0>\nMemory: \((number * 7919) % 1000)\n"
            text += "Message queue length: \(number)\n"
        }
        let dump = try #require(read(text))
        #expect(dump.processCount == 1000)
        #expect(
            dump.largest.map(\.memoryByteCount)
                == Array((1000 - CrashDumpReader.processLimit..<1000).reversed()))
        #expect(dump.busiest.first?.queueLength == 999)
        #expect(dump.busiest.count == CrashDumpReader.processLimit)
    }

    @Test func `long lines and slogans are cut`() throws {
        let long = String(repeating: "x", count: 3_000_000)
        let lines = String(repeating: "y\n", count: 100_000)
        let text = "=erl_crash_dump:0.5\n\nSlogan: \(long)\n\(lines)=proc:<0.1.0>\nName: \(long)\n"
        let dump = try #require(read(text, by: 65_536))
        #expect(dump.slogan.utf8.count < 10_000)
        #expect((dump.largest[0].name ?? "").utf8.count <= 1024)
    }

    @Test func `a file is read as far as its limit, and a link or a stranger's file is refused`()
        throws
    {
        let folder = TemporaryFolder("dumps")
        folder.write(dumpText, "dump", mode: 0o640)
        let file = try CrashDumpFile(reading: folder("dump"), owners: TrustedUsers())
        #expect(file.dump == read(dumpText))
        #expect(file.byteCount == dumpText.utf8.count)
        #expect(file.seconds > 1_700_000_000)
        try #require(symlink(folder("dump"), folder("link")) == 0)
        #expect(throws: FileSystemError.self) {
            try CrashDumpFile(reading: folder("link"), owners: TrustedUsers())
        }
        var isMissing = false
        do throws(FileSystemError) {
            _ = try CrashDumpFile(reading: folder("none"), owners: TrustedUsers())
        } catch {
            isMissing = error.isNotFound
        }
        #expect(isMissing)
        folder.write("no dump\n" + dumpText, "other")
        #expect(try CrashDumpFile(reading: folder("other"), owners: TrustedUsers()).dump == nil)
        let long = dumpText + String(repeating: "=x\n", count: 500_000)
        folder.write(long, "long")
        let cut = try CrashDumpFile(
            reading: folder("long"), owners: TrustedUsers(), limit: 300_000)
        #expect(cut.dump?.processCount == 2)
    }

    @Test(.enabled(if: geteuid() == 0)) func `a dump of another user is not read`() throws {
        let folder = TemporaryFolder("dumps")
        folder.write(dumpText, "dump", mode: 0o644)
        try #require(chown(folder("dump"), 54_321, 54_321) == 0)
        #expect(throws: FileSystemError.self) {
            try CrashDumpFile(reading: folder("dump"), owners: TrustedUsers())
        }
        let owners = TrustedUsers().adding(54_321)
        #expect(try CrashDumpFile(reading: folder("dump"), owners: owners).dump != nil)
    }
}
