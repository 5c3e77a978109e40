import Testing

@testable import Deployment

@Suite struct ArchivePolicyTests {
    /// Admits all and finishes; the first violation with the member it is about.
    static func violation(
        _ entries: [TarEntry], limits: ArchiveLimits = ArchiveLimits()
    ) -> UnpackFailure? {
        var policy = ArchivePolicy(limits: limits)
        for entry in entries {
            do {
                _ = try policy.admit(entry)
            } catch {
                return .refused(entry: printable(entry.path), error)
            }
        }
        do {
            try policy.finish()
            return nil
        } catch {
            return error
        }
    }

    static func file(_ path: String) -> TarEntry { TarEntry(path: Array(path.utf8), kind: .file) }
    static func folder(_ path: String) -> TarEntry {
        TarEntry(path: Array(path.utf8), kind: .folder)
    }
    static func link(_ path: String, _ target: String) -> TarEntry {
        TarEntry(path: Array(path.utf8), kind: .symbolicLink(target: Array(target.utf8)))
    }
    static func hardLink(_ path: String, _ target: String) -> TarEntry {
        TarEntry(path: Array(path.utf8), kind: .hardLink(target: Array(target.utf8)))
    }

    static func path(_ names: String...) -> ArchivePath {
        ArchivePath(names: names.map { Array($0.utf8) })
    }

    @Test func `paths are made plain and modes are masked`() throws {
        var policy = ArchivePolicy()
        func entry(_ path: String, _ kind: TarEntry.Kind, _ mode: UInt32) -> TarEntry {
            TarEntry(path: Array(path.utf8), kind: kind, mode: mode)
        }
        #expect(try policy.admit(entry("./", .folder, 0o755)) == .root)
        #expect(try policy.admit(entry(".", .folder, 0o755)) == .root)
        #expect(
            try policy.admit(entry("./a//b/", .folder, 0o7000))
                == .folder(Self.path("a", "b"), mode: 0o700))
        #expect(
            try policy.admit(entry("a/b/./c", .file, 0o6777))
                == .file(Self.path("a", "b", "c"), mode: 0o755, replaces: false))
        #expect(
            try policy.admit(entry("secret", .file, 0o400))
                == .file(Self.path("secret"), mode: 0o600, replaces: false))
        #expect(
            try policy.admit(entry("a/link", .symbolicLink(target: Array("b/c".utf8)), 0o777))
                == .symbolicLink(
                    Self.path("a", "link"), target: Array("b/c".utf8), replaces: false))
        #expect(
            try policy.admit(entry("hard", .hardLink(target: Array("./a/b/c".utf8)), 0))
                == .hardLink(Self.path("hard"), target: Self.path("a", "b", "c"), replaces: false))
        try policy.finish()
        #expect(policy.entryCount == 7)
    }

    @Test func `a later member replaces an earlier one of its kind`() throws {
        var policy = ArchivePolicy()
        _ = try policy.admit(Self.file("bin/server"))
        _ = try policy.admit(Self.link("l", "bin"))
        #expect(
            try policy.admit(Self.file("bin/server"))
                == .file(Self.path("bin", "server"), mode: 0o644, replaces: true))
        #expect(
            try policy.admit(Self.hardLink("bin/server", "bin/server"))
                == .hardLink(Self.path("bin", "server"), target: nil, replaces: true))
        #expect(
            try policy.admit(Self.link("l", "bin/server"))
                == .symbolicLink(
                    Self.path("l"), target: Array("bin/server".utf8), replaces: true))
        #expect(
            try policy.admit(Self.folder("bin")) == .folder(Self.path("bin"), mode: 0o744))
    }

    @Test func `bad paths are refused`() {
        let long = String(repeating: "a", count: 256)
        let cases: [(String, PolicyViolation)] = [
            ("", .emptyPath), ("/", .absolutePath), ("/etc/passwd", .absolutePath),
            ("//etc", .absolutePath), ("..", .parentInPath), ("../a", .parentInPath),
            ("a/../b", .parentInPath), ("a/..", .parentInPath), ("./../a", .parentInPath),
            ("a\u{0}b", .nulInPath), (".", .emptyPath), (long, .pathTooLong),
            (Array(repeating: "b", count: 2049).joined(separator: "/"), .pathTooLong),
            (Array(repeating: "b", count: 65).joined(separator: "/"), .pathTooDeep),
        ]
        for (path, violation) in cases {
            #expect(
                Self.violation([Self.file(path)])
                    == .refused(entry: printable(Array(path.utf8)), violation))
        }
        #expect(Self.violation([Self.file("..a/b..c/...")]) == nil)
        #expect(
            Self.violation([Self.file(Array(repeating: "b", count: 64).joined(separator: "/"))])
                == nil)
    }

    @Test func `the number of members has a limit`() {
        var limits = ArchiveLimits()
        limits.entryCount = 2
        #expect(Self.violation([Self.file("a"), Self.file("b")], limits: limits) == nil)
        #expect(
            Self.violation([Self.file("a"), Self.file("b"), Self.file("c")], limits: limits)
                == .refused(entry: "c", .tooManyEntries(limit: 2)))
    }

    @Test func `folders that members only imply are counted`() {
        var limits = ArchiveLimits()
        limits.entryCount = 4
        // One member and three folders fit; another folder does not.
        #expect(Self.violation([Self.file("a/b/c/d")], limits: limits) == nil)
        #expect(
            Self.violation([Self.file("a/b/c/d/e")], limits: limits)
                == .refused(entry: "a/b/c/d/e", .tooManyEntries(limit: 4)))
        #expect(
            Self.violation([Self.file("a/1"), Self.file("b/1"), Self.file("a/2")], limits: limits)
                == .refused(entry: "a/2", .tooManyEntries(limit: 4)))
    }

    @Test func `the names of an archive have a limit together`() {
        var limits = ArchiveLimits()
        limits.allPathsByteCount = 12
        let fits = [Self.file("aaa/bbb"), Self.file("aaa/b")]
        #expect(
            Self.violation(fits, limits: limits)
                == .refused(entry: "aaa/b", .pathsTooLong(limit: 12)))
        #expect(Self.violation([fits[0], Self.file("ccc")], limits: limits) == nil)
    }

    @Test func `links that stay inside are admitted`() {
        let good: [[TarEntry]] = [
            [Self.link("a", "b")],
            [Self.link("a/b/c", "../../d/e")],
            [Self.folder("a"), Self.link("b", "a/../a")],
            [Self.link("b", "a"), Self.folder("a"), Self.link("c", "b/x")],
            [Self.link("x", ".")], [Self.link("a/x", "..")],
            [Self.link("a", "b"), Self.link("b", "c/d"), Self.link("c", "e"), Self.file("e/d")],
        ]
        for entries in good { #expect(Self.violation(entries) == nil) }
    }

    @Test func `links that leave, loop, or are written through are refused`() {
        func leaves(_ target: String) -> PolicyViolation { .linkLeavesFolder(target: target) }
        let cases: [([TarEntry], String, PolicyViolation)] = [
            ([Self.link("a", "/etc/passwd")], "a", leaves("/etc/passwd")),
            ([Self.link("a", "")], "a", leaves("")),
            ([Self.link("a", "b\u{0}")], "a", leaves("b\\u{0}")),
            ([Self.link("a", "..")], "a", leaves("..")),
            ([Self.link("a/b", "../..")], "a/b", leaves("../..")),
            ([Self.link("a", "b/../../c")], "a", leaves("b/../../c")),
            // Through an earlier link, and through a later one.
            ([Self.link("d/e", ".."), Self.link("x", "d/e/../y")], "x", leaves("d/e/../y")),
            ([Self.link("x", "a/.."), Self.link("a", ".")], "x", leaves("a/..")),
            (
                [Self.link("a", "b"), Self.link("b", "c/.."), Self.link("c", ".")], "a",
                leaves("b")
            ),
            ([Self.link("a", "a")], "a", .linkLoop(target: "a")),
            ([Self.link("a", "b/x"), Self.link("b", "a/y")], "a", .linkLoop(target: "b/x")),
            ([Self.link("a", "b"), Self.file("a/c")], "a/c", .throughLink(link: "a")),
            (
                [Self.link("a/b", "c"), Self.folder("a/b/c/d")], "a/b/c/d",
                .throughLink(link: "a/b")
            ),
            ([Self.link("a", "b"), Self.link("a/c", "d")], "a/c", .throughLink(link: "a")),
            ([Self.file("a"), Self.file("a/b")], "a/b", .belowFile(file: "a")),
            ([Self.file("a"), Self.folder("a")], "a", .conflictsWithEarlier),
            ([Self.folder("a"), Self.file("a")], "a", .conflictsWithEarlier),
            ([Self.link("a", "b"), Self.file("a")], "a", .conflictsWithEarlier),
            ([Self.link("a", "b"), Self.folder("a")], "a", .conflictsWithEarlier),
            ([Self.file("a"), Self.link("a", "b")], "a", .conflictsWithEarlier),
            ([Self.file("a/b"), Self.link("a", "b")], "a", .conflictsWithEarlier),
            ([Self.hardLink("a", "/etc/passwd")], "a", leaves("/etc/passwd")),
            ([Self.hardLink("a", "../b")], "a", leaves("../b")),
            ([Self.hardLink("a", "b")], "a", .hardLinkToNothing(target: "b")),
            ([Self.hardLink("a", "a")], "a", .hardLinkToNothing(target: "a")),
            ([Self.folder("b"), Self.hardLink("a", "b")], "a", .hardLinkToNothing(target: "b")),
            (
                [Self.link("b", "c"), Self.hardLink("a", "b")], "a",
                .hardLinkToNothing(target: "b")
            ),
            (
                [Self.file("d/f"), Self.link("l", "d"), Self.hardLink("a", "l/f")], "a",
                .hardLinkToNothing(target: "l/f")
            ),
            (
                [Self.file("f"), Self.link("l", "d"), Self.hardLink("l/a", "f")], "l/a",
                .throughLink(link: "l")
            ),
            (
                [Self.file("f"), Self.folder("d"), Self.hardLink("d", "f")], "d",
                .conflictsWithEarlier
            ),
        ]
        for (entries, entry, violation) in cases {
            #expect(Self.violation(entries) == .refused(entry: entry, violation))
        }
    }

    @Test func `links that double at each step are given up early`() {
        var entries = [Self.folder("x")]
        for index in 1..<40 {
            let target = Array(repeating: "l\(index - 1)/..", count: 500).joined(separator: "/")
            entries.append(Self.link("d/l\(index)", target))
        }
        #expect(Self.violation(entries) != nil)
    }
}
