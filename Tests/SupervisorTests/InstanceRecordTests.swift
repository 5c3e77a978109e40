import Foundation
import TestKit
import Testing

@testable import Supervisor

@Suite struct InstanceRecordTests {
    let folder = TemporaryFolder()
    let records: InstanceRecordFolder
    let name = InstanceName(app: "my-app", number: 2)
    let record: InstanceRecord

    init() throws {
        records = InstanceRecordFolder(base: folder.path, fileSystem: HostFileSystem())
        try records.prepare()
        record = InstanceRecord(
            name: name, process: ProcessIdentity(pid: 4711, startTicks: 889_123, bootID: "6a1c"),
            version: "0.1.2", restarts: .init(crash: 1, forced: 2))
    }

    @Test func `a record is read as it was written`() throws {
        #expect(try records.read(name) == .absent)
        try records.write(record)
        #expect(try records.read(name) == .found(record))
        #expect(
            folder.text("run/my-app-2.json") == """
                {"app":"my-app","format":1,"has_begun":false,"instance":2,\
                "is_stopped":false,"is_stopping":false,"process":{"boot_id":"6a1c","pid":4711,"start_ticks":889123},\
                "restarts":{"crash":1,"forced":2},"version":"0.1.2"}
                """ + String(repeating: " ", count: 813) + "\n")
        #expect(try HostFileSystem().status(records.filePath(name))?.mode == 0o600)
        try records.remove(name)
        try records.remove(name)
        #expect(try records.read(name) == .absent)
    }

    @Test(arguments: [
        (Duration.seconds(60), Duration.seconds(60)),
        (Duration.milliseconds(250), Duration.milliseconds(250)),
        (Duration.seconds(86_400), Duration.seconds(86_400)),
        (Duration.zero, Duration.milliseconds(50)),
        (Duration.seconds(Int64.max), Duration.seconds(86_400)),
    ])
    func `how long the process may take to end is on record as long as the process`(
        configured: Duration, expected: Duration
    ) throws {
        var record = InstanceRecord(name: name)
        #expect(record.stopTimeout == nil)
        record.begin(
            ProcessIdentity(pid: 4711, startTicks: 1, bootID: "6a1c"), version: "0.1.2",
            stopTimeout: configured)
        #expect(record.stopTimeout == expected)
        try records.write(record)
        #expect(try records.read(name) == .found(record))
        record.end()
        #expect(record.stopTimeout == nil)
    }

    @Test func `what waits for a restart is read as it was written, also by an older deployex`()
        throws
    {
        var record = record
        record.pendingRestart = PendingRestart(modules: "old code runs: m", children: ["a of s"])
        try records.write(record)
        #expect(try records.read(name) == .found(record))
        let text = try #require(folder.text("run/my-app-2.json"))
        #expect(text.contains(#""pending_restart":"old code runs: m""#))
        #expect(text.contains(#""unstarted_children":["a of s"]"#))
        // As an older one wrote it.
        folder.write(
            text.replacingOccurrences(of: #","unstarted_children":["a of s"]"#, with: ""),
            "run/my-app-2.json", mode: 0o600)
        guard case .found(let old) = try records.read(name) else {
            Issue.record("an old record is readable")
            return
        }
        #expect(old.pendingRestart == PendingRestart(modules: "old code runs: m"))
        record.end()
        #expect(record.pendingRestart.text == nil)
    }

    @Test
    func `what has left the session is on record as long as the process, and no endless list`()
        throws
    {
        let others = (100...200).map {
            ProcessIdentity(pid: $0, startTicks: UInt64($0), bootID: "6a1c")
        }
        var record = InstanceRecord(name: name)
        record.left(others[0])
        #expect(record.others == nil)
        record.begin(others[0], version: "0.1.2", port: 4001)
        for other in others + [others[100], others[99]] { record.left(other) }
        #expect(record.others?.count == InstanceRecord.maximumOthers)
        #expect(record.others?.suffix(2) == [others[100], others[99]])
        try records.write(record)
        #expect(try records.read(name) == .found(record))
        record.end()
        #expect(record.others == nil && record.port == nil)
        record.begin(others[0], version: "0.1.2", port: 4001)
        record.left(ProcessIdentity(pid: 1, startTicks: 0, bootID: "6a1c"))
        try records.write(record)
        guard case .damaged = try records.read(name) else {
            Issue.record("the first process of the host is no instance's")
            return
        }
    }

    @Test func `a removed record is written again, and none that never was`() throws {
        let keeper = InstanceRecordKeeper(InstanceRecord(name: name), in: records)
        try keeper.rewrite()
        #expect(try records.read(name) == .absent)
        try keeper.update { $0.isStopped = true }
        try records.remove(name)
        // Nothing has changed: it is not written.
        try keeper.update { $0.isStopped = true }
        #expect(try records.read(name) == .absent)
        try keeper.rewrite()
        #expect(try records.read(name) == .found(keeper.record))
        // One that was found on disk.
        let found = InstanceRecordKeeper(record, in: records)
        try records.remove(name)
        try found.rewrite()
        #expect(try records.read(name) == .found(record))
    }

    @Test func `a record cut at any byte is damaged, set aside and then absent`() throws {
        try records.write(record)
        let text = try #require(folder.text("run/my-app-2.json"))
        // Without the spaces that fill it up it is whole.
        let end = try #require(text.lastIndex(of: "}"))
        for count in 0..<text.utf8[..<end].count {
            folder.write(String(text.prefix(count)), "run/my-app-2.json")
            guard case .damaged(let aside, _) = try records.read(name) else {
                Issue.record("\(count) bytes were understood")
                continue
            }
            #expect(aside == records.filePath(name) + ".damaged")
            #expect(try records.read(name) == .absent)
        }
    }

    @Test(arguments: [
        ("", "it is empty"), ("[]", "it cannot be understood"),
        (String(repeating: " ", count: 20_000), "it is longer than 16384 bytes"),
        (
            #"{"app":"my-app","format":1,"has_begun":false,"instance":2,"is_stopped":false,"#
                + #""is_stopping":false,"restarts":{"crash":9223372036854775807,"forced":0}}"#,
            "no instance restarts so often"
        ),
    ])
    func `a damaged record says what is wrong`(_ text: String, _ reason: String) throws {
        folder.write(text, "run/my-app-2.json")
        let aside = records.filePath(name) + ".damaged"
        #expect(try records.read(name) == .damaged(setAsideAs: aside, reason: reason))
        #expect(folder.text("run/my-app-2.json.damaged") == text)
    }

    @Test func `a record of another instance, format or impossible process is damaged`() throws {
        var other = record
        other.instance = 3
        try records.write(other)
        try FileManager.default.moveItem(
            atPath: folder("run/my-app-3.json"), toPath: folder("run/my-app-2.json"))
        guard case .damaged = try records.read(name) else {
            Issue.record("another instance's record was taken")
            return
        }
        for pid in [Int32(1), 0, -1] {
            other = record
            other.process?.pid = pid
            try records.write(other)
            guard case .damaged = try records.read(name) else {
                Issue.record("pid \(pid) was taken")
                return
            }
        }
        try records.write(record)
        let text = try #require(folder.text("run/my-app-2.json"))
        folder.write(
            text.replacingOccurrences(of: "\"format\":1", with: "\"format\":7"),
            "run/my-app-2.json")
        guard case .damaged(_, "its format is 7") = try records.read(name) else {
            Issue.record("an unknown format was taken")
            return
        }
    }

    @Test func `all recorded instances are found, and no other files`() throws {
        try records.write(record)
        for file in ["x.json", "x-0.json", "x-01.json", "-1.json", "x-1.json.damaged", "a-7.json"] {
            folder.write("", "run/\(file)")
        }
        #expect(try records.names() == [InstanceName(app: "a", number: 7), name])
    }
}
