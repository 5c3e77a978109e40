import ExternalTermFormat
import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

/// The comparison as a value: what is found, and what it is called.
@Suite struct FileComparisonTests {
    private func package(
        _ files: [String: UInt8], code: [String: UInt8] = [:], boot: String = "13.1 1.1"
    ) -> PackageContents {
        var contents = PackageContents()
        contents.members = files.mapValues { .file(sha256: [$0]) }
        contents.members["lib"] = .folder
        contents.members["releases/start_erl.data"] = .file(sha256: [0])
        contents.startErlData = Array(boot.utf8)
        contents.code = code.mapValues { [$0] }
        return contents
    }

    private func installed(
        _ files: [String: UInt8], code: [String: UInt8] = [:], boot: String = "13.1 1.1\n"
    ) -> InstalledFiles {
        var found = InstalledFiles()
        found.entries = files.mapValues { .file(sha256: [$0]) }
        found.entries["lib"] = .folder
        found.entries["releases/start_erl.data"] = .file(sha256: [1])
        found.startErlData = Array(boot.utf8)
        found.code = code.mapValues { [$0] }
        return found
    }

    private func comparison(
        _ found: InstalledFiles, _ package: PackageContents,
        earlier: [String: PackageContents?] = [:]
    ) -> FileComparison {
        FileComparison(
            found, with: package, application: "app", version: "1.1", earlier: earlier)
    }

    @Test func `what deployex and the release write is neither extra nor changed`() {
        let own: [String: UInt8] = [
            ".deployex.json": 1, "releases/COOKIE": 1, "releases/RELEASES": 1,
            "tmp/app.runtime.config": 1, "tmp/pipe/erlang.pipe.1": 1,
        ]
        let found = comparison(
            installed(own.merging(["bin/app": 7]) { $1 }), package(["bin/app": 7]))
        #expect(found.isClean)
        #expect(found.unknown == [])
        #expect(found.ownCount == own.count)
        // `bin/app`, `lib`, and `start_erl.data`, whose words count.
        #expect(found.sameCount == 3)
    }

    @Test func `a missing, a changed and an added file are named`() {
        let found = comparison(
            installed(["bin/app": 8, "lib/a/ebin/x.beam": 1, "tmpx": 1, "releases/1.0/a": 1]),
            package(["bin/app": 7, "releases/COOKIE": 1]))
        #expect(found.missing == ["releases/COOKIE"])
        #expect(found.changed == ["bin/app"])
        #expect(found.extra == ["lib/a/ebin/x.beam", "releases/1.0/a", "tmpx"])
        #expect(!found.isClean)
    }

    @Test func `a file that names another release to boot is changed`() {
        let found = comparison(installed([:], boot: "13.1 1.0"), package([:]))
        #expect(found.changed == ["releases/start_erl.data"])
        #expect(comparison(installed([:], boot: ""), package([:])).changed.count == 1)
    }

    @Test func `links and kinds count`() {
        var (found, published) = (installed([:]), package([:]))
        published.members["a"] = .link(target: "b")
        found.entries["a"] = .link(target: "c")
        published.members["d"] = .file(sha256: [1])
        found.entries["d"] = .folder
        found.entries["e"] = .link(target: "/etc")
        found.entries["f"] = .unreadable("no")
        found.obstacles = ["too many"]
        let result = comparison(found, published)
        #expect(result.changed == ["a", "d"])
        #expect(result.extra == ["e"])
        #expect(result.unknown == ["f: no", "too many"])
    }

    @Test func `after an upgrade in place the files of the earlier release are known`() {
        let old = package(
            ["bin/app": 1, "lib/a-1.0/x": 2, "lib/a-1.0/y": 3, "lib/b/p.beam": 4])
        let new = package(
            ["bin/app": 5, "lib/a-1.1/x": 6, "lib/c/m.beam": 1], code: ["lib/c/m.beam": 9])
        let found = installed(
            [
                "bin/app": 1, "lib/a-1.0/x": 2, "lib/a-1.0/y": 33, "lib/b/p.beam": 4,
                "lib/a-1.1/x": 6, "lib/c/m.beam": 2, "releases/1.1/relup": 1,
                "releases/app-1.0.rel": 1, "lib/evil": 1,
            ], code: ["lib/c/m.beam": 9])
        let whole = comparison(found, new, earlier: ["1.0": old])
        #expect(whole.changed == ["lib/a-1.0/y"])
        #expect(whole.extra == ["lib/evil"])
        #expect(whole.missing == [])
        #expect(whole.earlierCount == 4)
        #expect(whole.ownCount == 2)
        // Without the earlier package nothing is said of what may be its files.
        let partial = comparison(found, new, earlier: ["1.0": nil])
        #expect(partial.isClean)
        #expect(partial.unknown.count == 5)
        #expect(partial.unknown[0].hasPrefix("bin/app: it may be of 1.0, whose package"))
    }

    @Test func `a configuration beside its pristine copy is not known to be right`() {
        let path = "releases/1.1/sys.config"
        let found = comparison(
            installed([path: 9, path + ".pristine": 1]), package([path: 1]))
        #expect(found.changed.isEmpty)
        #expect(found.unknown == ["\(path): replaced for a hot upgrade that was cut off"])
        #expect(comparison(installed([path: 9]), package([path: 1])).changed == [path])
    }
}

@Suite struct ModuleComparisonTests {
    private let code: [String: [UInt8]] = [
        "lib/a-1/ebin/a.beam": [1], "lib/elixir/ebin/Enumerable.beam": [2],
        "releases/1/consolidated/Enumerable.beam": [3],
    ]

    private func comparison(_ modules: LoadedModule...) -> ModuleComparison {
        ModuleComparison(modules, with: code, folders: ["/base/current", "/real/current"])
    }

    @Test func `code as in the package is recognised, by either path of the folder`() {
        let found = comparison(
            LoadedModule(name: "a", digest: [1], place: "/base/current/lib/a-1/ebin/a.beam"),
            LoadedModule(
                name: "Enumerable", digest: [3],
                place: "/real/current/bin/../releases/1/./consolidated/Enumerable.beam"),
            LoadedModule(name: "erlang", digest: [7], place: "preloaded"))
        #expect(found.isClean)
        #expect((found.sameCount, found.emulatorCount) == (2, 1))
        #expect(found.elsewhere == [])
    }

    @Test func `other code is named, whatever file it is said to be from`() {
        let found = comparison(
            LoadedModule(name: "a", digest: [9], place: "none"),
            // The code of the same protocol in another file of the package.
            LoadedModule(
                name: "Enumerable", digest: [2],
                place: "/base/current/releases/1/consolidated/Enumerable.beam"))
        #expect(
            found.changed == [
                "Enumerable (from releases/1/consolidated/Enumerable.beam)", "a (from none)",
            ])
    }

    @Test func `modules that the package lacks, from elsewhere, and with old code are told apart`()
    {
        let found = comparison(
            LoadedModule(name: "made", digest: [9], place: ""),
            LoadedModule(name: "stdlib", digest: [9], place: "/usr/lib/stdlib.beam"),
            LoadedModule(name: "a", digest: [1], place: "/tmp/a.beam", hasOldCode: true),
            LoadedModule(name: "gone", digest: nil, place: "", hasOldCode: true),
            LoadedModule(name: "Enumerable", digest: [2], place: "/base/currently/Enumerable.beam"))
        #expect(
            found.unpublished == ["made (from no file)", "stdlib (from /usr/lib/stdlib.beam)"])
        #expect(
            found.elsewhere == [
                "Enumerable (from /base/currently/Enumerable.beam)", "a (from /tmp/a.beam)",
            ])
        #expect(found.old == ["a", "gone"])
        #expect(found.changed == [])
    }

    @Test func `success is said only of what was checked`() {
        func result(
            files: FileComparison? = FileComparison(),
            modules: ModuleComparison? = ModuleComparison(), isCompared: Bool = true,
            _ change: (inout VerificationReport) -> Void = { _ in }
        ) -> String? {
            var report = VerificationReport()
            if let files { report.add(files) }
            if let modules { report.add(modules, emulatorIsCompared: isCompared) }
            change(&report)
            report.conclude()
            return report.result
        }
        #expect(result() == "published")
        #expect(result(files: nil) == "incomplete")
        #expect(result(modules: nil) == "incomplete")
        #expect(result { $0.problems = ["its sha256"] } == "different")
        #expect(result { $0.unchecked = ["x"] } == "incomplete")
        var files = FileComparison()
        files.unknown = ["x"]
        #expect(result(files: files) == "incomplete")
        files.extra = ["y"]
        #expect(result(files: files) == "different")
        var modules = ModuleComparison()
        modules.emulatorCount = 1
        #expect(result(modules: modules) == "published")
        #expect(result(modules: modules, isCompared: false) == "incomplete")
        modules.old = ["m"]
        #expect(result(modules: modules) == "incomplete")
        modules.unpublished = ["n"]
        #expect(result(modules: modules) == "different")
    }

    @Test func `a node's strange answers are refused`() throws {
        func read(_ text: String) throws -> [LoadedModule]? {
            LoadedModule.read(try Term(text: text))
        }
        #expect(
            try read(#"[{<<"a">>,<<1,2>>,<<"/x">>,false},{<<"b">>,none,<<>>,true}]"#) == [
                LoadedModule(name: "a", digest: [1, 2], place: "/x"),
                LoadedModule(name: "b", digest: nil, place: "", hasOldCode: true),
            ])
        for text in ["x", "[x]", #"[{<<"a">>,<<1>>,<<"/x">>}]"#, #"[{1,<<1>>,<<"/x">>,false}]"#] {
            #expect(try read(text) == nil, "\(text)")
        }
    }
}

@Suite struct PackageContentsTests {
    private let folder = TemporaryFolder("verify")

    private func contents(_ tar: TarBuilder) throws -> PackageContents {
        var tar = tar
        tar.end()
        let path = folder("app-1.0.0.tar.gz")
        try Files.write(gzip(tar.bytes), path)
        return try PackageContents.read(LocalPackage(path: path))
    }

    @Test func `each member's digest is found, the last of its name`() throws {
        let beam = SampleBeam.bytes(code: "1", debug: "a")
        let found = try contents(
            TarBuilder.release { tar in
                tar.addFile("./a", "old")
                tar.addFile("a", "new")
                tar.addLink("b", to: "a")
                tar.addHardLink("c", to: "a")
                tar.addFile("lib/m.beam", String(decoding: beam, as: UTF8.self))
                tar.addFile("lib/bad.beam", "no beam file")
            })
        let new = PackageContents.Member.file(sha256: Digest.sha256(Array("new".utf8)))
        #expect(found.members["a"] == new)
        #expect(found.members["c"] == new)
        #expect(found.members["b"] == .link(target: "a"))
        #expect(found.code.keys.sorted() == ["lib/m.beam"])
        #expect(
            try found.code["lib/m.beam"]
                == BeamCode(SampleBeam.bytes(code: "1", debug: "b")).digest)
        #expect(found.unreadableModules == ["lib/bad.beam"])
        #expect(found.startErlData == Array("13.1 1.0.0\n".utf8))
        #expect(
            found.sha256
                == Digest.text(Digest.sha256(Files.bytes(folder("app-1.0.0.tar.gz")))))
    }

    @Test func `a cut package is an error`() throws {
        let path = folder("cut.tar.gz")
        var tar = TarBuilder.release()
        tar.end()
        try Files.write(Array(gzip(tar.bytes).dropLast(9)), path)
        #expect(throws: UnpackError.self) { try PackageContents.read(LocalPackage(path: path)) }
    }
}

@Suite struct InstalledFilesTests {
    private let folder = TemporaryFolder("verify")

    private func read(wantsCode: Bool = false) -> InstalledFiles {
        InstalledFiles.read(
            folder("current"), files: HostFileSystem(), ignoring: ["tmp"], wantsCode: wantsCode
        ) { $0 == "lib/a.beam" || $0 == "bin" }
    }

    @Test func `what is wanted is read, and the rest is only listed`() throws {
        try Files.makeFolders(folder("current/lib"))
        try Files.makeFolders(folder("current/tmp/x"))
        try Files.makeFolders(folder("current/releases"))
        let beam = SampleBeam.bytes(code: "1")
        try Files.write(beam, folder("current/lib/a.beam"))
        try Files.write([1], folder("current/lib/b.beam"))
        try Files.write(Array("13.1 1.0".utf8), folder("current/releases/start_erl.data"))
        #expect(symlink("../lib", folder("current/lib/link")) == 0)
        #expect(mkfifo(folder("current/lib/pipe"), 0o600) == 0)
        let found = read()
        #expect(
            found.entries == [
                "lib": .folder, "tmp": .folder, "releases": .folder,
                "lib/a.beam": .file(sha256: Digest.sha256(beam)), "lib/b.beam": .unread,
                "releases/start_erl.data": .unread, "lib/link": .link(target: "../lib"),
                "lib/pipe": .other,
            ])
        #expect(found.code == [:])
        #expect(found.startErlData == Array("13.1 1.0".utf8))
        #expect(found.obstacles == [])
        #expect(read(wantsCode: true).code.keys.sorted() == ["lib/a.beam"])
    }

    @Test func `a name that is no text hides nothing, and a folder that is not there is said`()
        throws
    {
        #expect(read().obstacles.count == 1)
        try Files.makeFolders(folder("current/lib"))
        let name = folder("current/lib/").utf8.map { CChar(bitPattern: $0) } + [-1, 0]
        let file = open(name, O_CREAT | O_WRONLY, 0o600)
        #expect(file >= 0)
        close(file)
        let found = read()
        #expect(found.entries.count == 2)
        let comparison = FileComparison(
            found, with: PackageContents(), application: "app", version: "1.0")
        #expect(comparison.unknown.count == 1)
    }
}
