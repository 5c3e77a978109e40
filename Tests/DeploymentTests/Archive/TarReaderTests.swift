import TestKit
import Testing

@testable import Deployment

@Suite struct TarReaderTests {
    /// What a test wants to see of an archive: the members and the contents of each.
    struct Member: Equatable {
        var entry: TarEntry
        var contents: [UInt8] = []
    }

    static func members(
        _ bytes: [UInt8], pieces: Int = .max, limits: ArchiveLimits = ArchiveLimits()
    ) throws(TarError) -> [Member] {
        var reader = TarReader(limits: limits)
        var members: [Member] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            var piece = rest.prefix(pieces)
            rest = rest.dropFirst(piece.count)
            while let event = try reader.next(&piece) {
                switch event {
                case .entry(let entry): members.append(Member(entry: entry))
                case .contents(let bytes): members[members.count - 1].contents += bytes
                case .endOfEntry, .endOfArchive: break
                }
            }
        }
        try reader.finish()
        return members
    }

    static func error(
        _ bytes: [UInt8], limits: ArchiveLimits = ArchiveLimits()
    ) -> TarError? {
        do {
            _ = try members(bytes, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    static func entry(
        _ path: String, _ kind: TarEntry.Kind = .file, mode: UInt32 = 0o644, byteCount: Int64 = 0
    ) -> TarEntry {
        TarEntry(
            path: Array(path.utf8), kind: kind, mode: mode, byteCount: byteCount,
            modified: 1_700_000_000)
    }

    @Test func `files, folders and links come out as their headers say`() throws {
        var tar = TarBuilder()
        tar.addFolder("bin/")
        tar.addFile("bin/app", "hello", mode: 0o4755)
        tar.addLink("bin/other", to: "app")
        tar.addHardLink("bin/third", to: "bin/app")
        tar.add("old/", type: "\0")
        tar.add("old/file", type: "\0", contents: [1, 2], magic: "")
        #expect(
            try Self.members(tar.ended) == [
                Member(entry: Self.entry("bin/", .folder, mode: 0o755)),
                Member(
                    entry: Self.entry("bin/app", mode: 0o4755, byteCount: 5),
                    contents: Array("hello".utf8)),
                Member(entry: Self.entry("bin/other", .symbolicLink(target: Array("app".utf8)))),
                Member(entry: Self.entry("bin/third", .hardLink(target: Array("bin/app".utf8)))),
                Member(entry: Self.entry("old/", .folder)),
                Member(entry: Self.entry("old/file", byteCount: 2), contents: [1, 2]),
            ])
    }

    @Test func `pieces of any size give the same members`() throws {
        var tar = TarBuilder()
        tar.addPax([("path", Array("a/long/name".utf8)), ("mtime", Array("12.5".utf8))])
        tar.addFile("short", String(repeating: "y", count: 700))
        tar.addLongName(Array(repeating: 0x61, count: 600))
        tar.addFile("cut", "z")
        let whole = try Self.members(tar.ended)
        #expect(whole.map(\.entry.modified) == [12, 1_700_000_000])
        for size in [1, 2, 7, 511, 512, 513, 1000] {
            #expect(try Self.members(tar.ended, pieces: size) == whole)
        }
    }

    @Test func `long names: ustar prefix, GNU L and K, pax path and linkpath`() throws {
        var tar = TarBuilder()
        tar.add("name", change: { TarBuilder.put("some/prefix", into: &$0, at: 345) })
        tar.add(
            "gnu", magic: "ustar  \u{0}",
            change: { TarBuilder.put("12345", into: &$0, at: 345) })
        let long = Array((0..<300).map { UInt8(ascii: "a") + UInt8($0 % 26) })
        tar.addLongName(long)
        tar.addLongName(long.reversed(), type: "K")
        tar.addLink("short", to: "short")
        tar.addPax([("path", long), ("linkpath", Array("elsewhere".utf8))])
        tar.addLink("short", to: "short")
        tar.addFile("plain", "")
        #expect(
            try Self.members(tar.ended).map(\.entry) == [
                Self.entry("some/prefix/name"), Self.entry("gnu"),
                Self.entry(
                    String(decoding: long, as: UTF8.self),
                    .symbolicLink(target: long.reversed())),
                Self.entry(
                    String(decoding: long, as: UTF8.self),
                    .symbolicLink(target: Array("elsewhere".utf8))),
                Self.entry("plain"),
            ])
    }

    @Test func `a pax size counts instead of the header's, for one member or for all that follow`()
        throws
    {
        var tar = TarBuilder()
        tar.addPax([("size", Array("3".utf8))])
        tar.add("a", contents: [1, 2, 3], change: { TarBuilder.put("77777", into: &$0, at: 124) })
        tar.addPax([("size", Array("2".utf8)), ("comment", [0x0A])], type: "g")
        tar.add("b", contents: [4, 5], change: { TarBuilder.put("00000", into: &$0, at: 124) })
        #expect(try Self.members(tar.ended).map(\.contents) == [[1, 2, 3], [4, 5]])
    }

    @Test func `base-256 sizes are read, and refused when out of range`() throws {
        var tar = TarBuilder()
        tar.add(
            "a", contents: [9, 8],
            change: {
                $0.replaceSubrange(124..<136, with: [0x80] + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
            })
        #expect(try Self.members(tar.ended).map(\.contents) == [[9, 8]])
        for field in [
            [0xFF] + [UInt8](repeating: 0xFF, count: 11),
            [0x80] + Array(repeating: 0xFF, count: 11),
        ] {
            var tar = TarBuilder()
            tar.add("a", change: { $0.replaceSubrange(124..<136, with: field) })
            #expect(Self.error(tar.ended) == .wrongNumber(entry: "a", field: "size"))
        }
        var huge = TarBuilder()
        huge.add(
            "a",
            change: {
                $0.replaceSubrange(
                    124..<136, with: [0x80, 0, 0, 0, 0x7F] + [UInt8](repeating: 0xFF, count: 7))
            })
        #expect(Self.error(huge.ended) == .tooLong(entry: "a", byteCount: .max))
    }

    @Test func `what is not tar, or not whole, or not wanted, is an error`() {
        func tar(_ build: (inout TarBuilder) -> Void) -> [UInt8] {
            var tar = TarBuilder()
            tar.addFile("first")
            build(&tar)
            return tar.ended
        }
        let cases: [([UInt8], TarError)] = [
            ([], .truncated(entry: "")),
            (Array(repeating: 0x61, count: 512), .wrongChecksum(entry: "")),
            (tar { $0.append([1]) }, .wrongChecksum(entry: "first")),
            (
                tar { $0.add("a", change: { TarBuilder.put("89", into: &$0, at: 124) }) },
                .wrongNumber(entry: "a", field: "size")
            ),
            (
                tar { $0.add("a", change: { TarBuilder.put("x", into: &$0, at: 100) }) },
                .wrongNumber(entry: "a", field: "mode")
            ),
            (
                tar { $0.add("d", type: "3") },
                .unsupportedType(entry: "d", type: "a character device")
            ),
            (tar { $0.add("d", type: "4") }, .unsupportedType(entry: "d", type: "a block device")),
            (tar { $0.add("d", type: "6") }, .unsupportedType(entry: "d", type: "a FIFO")),
            (tar { $0.add("d", type: "S") }, .unsupportedType(entry: "d", type: "a sparse file")),
            (
                tar { $0.add("d", type: "M") },
                .unsupportedType(entry: "d", type: "the rest of a file from another volume")
            ),
            (
                tar { $0.add("d", type: "Z") },
                .unsupportedType(entry: "d", type: "of the unknown type `Z`")
            ),
            (tar { $0.add("d", type: "5", contents: [1]) }, .unexpectedContents(entry: "d")),
            (tar { $0.add("l", type: "2", contents: [1]) }, .unexpectedContents(entry: "l")),
            (
                tar { $0.addPax([("GNU.sparse.major", [0x31]), ("path", [0x73])]) },
                .unsupportedType(entry: "first", type: "a sparse file")
            ),
            (tar { $0.addPax([("path", [0x61, 0, 0x62])]) }, .nulInName(entry: "first")),
            (tar { $0.addLongName([0x61, 0, 0x62]) }, .nulInName(entry: "a\\u{0}b\\u{0}")),
            (tar { $0.addPax([("path", [0x61])]) }, .danglingExtendedHeader(entry: "first")),
            (tar { $0.addLongName([0x61]) }, .danglingExtendedHeader(entry: "first")),
            (
                tar { $0.addPax([("size", Array("-1".utf8))]) },
                .wrongNumber(entry: "first", field: "size")
            ),
            (
                tar { $0.addPax([("size", Array("9999999999999999999".utf8))]) },
                .wrongNumber(entry: "first", field: "size")
            ),
        ]
        for (bytes, expected) in cases {
            #expect(Self.error(bytes) == expected)
        }
    }

    @Test(arguments: [
        "x", "0 a=b\n", "99 a=b\n", "5 a=b\n", "6 a=bc", "6 a_bc\n", "99999999999999999999 a=b\n",
        "-6 a=b\n", " a=b\n", "2 ", "1 ", "7 a=b\n\u{0}x",
    ])
    func `a malformed pax record is an error`(record: String) {
        var tar = TarBuilder()
        tar.add("p", type: "x", contents: Array(record.utf8))
        tar.addFile("a")
        #expect(Self.error(tar.ended) == .malformedExtendedHeader(entry: ""))
    }

    @Test func `an extended header has a limit`() {
        var limits = ArchiveLimits()
        limits.extendedHeaderByteCount = 100
        var tar = TarBuilder()
        tar.addLongName(Array(repeating: 0x61, count: 100))
        tar.addFile("a")
        #expect(
            Self.error(tar.ended, limits: limits)
                == .extendedHeaderTooLong(entry: "", byteCount: 101))
    }

    @Test func `an archive cut anywhere before its end is truncated`() {
        var tar = TarBuilder()
        tar.addPax([("path", Array("a/b".utf8))])
        tar.addFile("a", String(repeating: "x", count: 1500))
        tar.addFolder("c")
        for count in 0..<tar.bytes.count + 512 {
            switch Self.error(Array(tar.ended.prefix(count))) {
            case .truncated: break
            case let other: Issue.record("\(count) bytes: \(String(describing: other))")
            }
        }
        // One block of zeros is enough.
        #expect(Self.error(Array(tar.ended.prefix(tar.bytes.count + 512))) == nil)
    }

    @Test func `no bytes trap`() {
        var tar = TarBuilder()
        tar.addPax([("path", Array("a/b".utf8)), ("size", [0x33])])
        tar.add("a", contents: [1, 2, 3])
        tar.addLongName(Array("long".utf8))
        tar.addLink("l", to: "a")
        let bytes = tar.ended
        var random = SeededRandom(seed: 1)
        for _ in 0..<1500 {
            var bytes = bytes
            // The checksum would hide most of the reader: it is made right again.
            for _ in 0...Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            for start in stride(from: 0, to: bytes.count, by: 512) where bytes[start] != 0 {
                var header = Array(bytes[start..<start + 512])
                TarBuilder.putChecksum(into: &header)
                bytes.replaceSubrange(start..<start + 512, with: header)
            }
            _ = Self.error(bytes)
        }
    }
}
