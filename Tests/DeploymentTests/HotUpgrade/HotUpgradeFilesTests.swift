import FaultyDisk
import Glibc
import Supervisor
import Testing
import Transport

@testable import Deployment

/// The file steps on a real folder.
struct HotUpgradeFilesTests {
    private let tree: ReleaseTree
    private let plan = HotUpgrade.Plan(name: "counter", from: "0.1.1", to: "0.1.2")

    init() throws {
        tree = ReleaseTree()
        try tree.hotUpgrade()
    }

    private var steps: HotUpgradeFiles { steps(tree.files) }

    private func steps(_ files: any FileSystem) -> HotUpgradeFiles {
        HotUpgradeFiles(
            current: tree.current, staged: tree.staged, package: tree.package, files: files)
    }

    private var released: String { tree.current + "/releases/0.1.2" }

    /// What `unpack_release` does, as far as it matters here.
    private func unpack() throws {
        try tree.release(tree.current, "0.1.2")
        try tree.files.removeFile(released + "/counter.rel")
        try tree.files.removeFile(released + "/counter.tar.gz")
    }

    // MARK: Placing and removing

    @Test func `the package is placed where the release handler looks for it`() throws {
        try steps.placePackage(plan)
        #expect(try tree.read(released + "/counter.tar.gz") == "package")
        #expect(try tree.files.status(tree.package) != nil)
    }

    @Test func `a package that is not the unpacked one any more is not placed`() throws {
        var steps = steps
        steps.sha256 = Digest.text(Digest.sha256(Array("package".utf8)))
        try steps.placePackage(plan)
        #expect(try tree.exists(released + "/counter.tar.gz"))
        try tree.write(tree.package, "another")
        let found = Digest.text(Digest.sha256(Array("another".utf8)))
        #expect(
            throws: FileSystemError.unusable(
                "\(tree.package) has changed since it was unpacked: its sha256 is \(found), and it "
                    + "was \(steps.sha256 ?? "")")
        ) {
            try steps.placePackage(plan)
        }
        #expect(try !tree.exists(released))
    }

    @Test func `placing removes what an earlier attempt has left, and nothing else`() throws {
        try unpack()
        try tree.write(released + "/relup", "old")
        try tree.write(tree.current + "/releases/counter-0.1.2.rel", "old")
        try tree.write(tree.current + "/lib/counter-0.1.2/ebin/old.beam", "old")
        try steps.placePackage(plan)
        #expect(try tree.files.list(released) == ["counter.tar.gz"])
        #expect(try !tree.exists(tree.current + "/releases/counter-0.1.2.rel"))
        #expect(
            try tree.files.list(tree.current + "/lib") == [
                "counter-0.1.1", "elixir-1.14.0", "kernel-8.5.3", "sasl-4.2", "stdlib-4.2",
            ])
        #expect(try tree.exists(tree.current + "/releases/0.1.1/counter.rel"))
    }

    @Test func `libraries stay that any other release in the folder consists of`() throws {
        // 0.1.0 was upgraded from once, and shares a library with what is removed.
        try unpack()
        try tree.release(tree.current, "0.1.0", counter: "0.1.2")
        try steps.removeRelease(plan)
        #expect(try tree.exists(tree.current + "/lib/counter-0.1.2"))
        #expect(try !tree.exists(released))
    }

    @Test func `libraries stay when it is unknown what the running release consists of`() throws {
        try unpack()
        try tree.write(tree.current + "/releases/0.1.1/counter.rel", "garbage")
        try steps.removeRelease(plan)
        #expect(try tree.exists(tree.current + "/lib/counter-0.1.2"))
    }

    @Test func `a library whose name leads out of the folder is never removed`() throws {
        try tree.write(tree.root + "/outside-1", "precious")
        let rel = #"{release,{"counter","0.1.2"},{erts,"1"},[{'../../outside',"1"}]}."#
        try tree.write(tree.staged + "/releases/0.1.2/counter.rel", rel)
        try steps.removeRelease(plan)
        #expect(try tree.exists(tree.root + "/outside-1"))
    }

    @Test func `the running version is never removed`() throws {
        for version in ["0.1.1", "..", ".", "", "../.."] {
            #expect(throws: FileSystemError.self) {
                try steps.removeRelease(.init(name: "counter", from: "0.1.1", to: version))
            }
        }
        #expect(try tree.exists(tree.current + "/releases/0.1.1/counter.rel"))
    }

    // MARK: .rel files

    @Test func `the rel files are where systools is told to look`() throws {
        try unpack()
        try steps.copyReleaseResources(plan)
        let old = try tree.read(tree.current + "/releases/0.1.1/counter.rel")
        let new = try tree.read(tree.staged + "/releases/0.1.2/counter.rel")
        #expect(try tree.read(tree.current + "/releases/counter-0.1.1.rel") == old)
        #expect(try tree.read(tree.current + "/releases/counter-0.1.2.rel") == new)
        // The release handler has deleted it, and the next hot upgrade begins with it.
        #expect(try tree.read(released + "/counter.rel") == new)
    }

    @Test func `the copies that Jellyfish makes stay`() throws {
        try unpack()
        try tree.write(tree.current + "/releases/counter-0.1.1.rel", "of Jellyfish")
        try steps.copyReleaseResources(plan)
        #expect(try tree.read(tree.current + "/releases/counter-0.1.1.rel") == "of Jellyfish")
    }

    @Test func `a rel file that is nowhere is an error`() throws {
        try unpack()
        try tree.files.removeFile(tree.current + "/releases/0.1.1/counter.rel")
        #expect(throws: FileSystemError.self) { try steps.copyReleaseResources(plan) }
    }

    // MARK: The relup

    @Test(
        arguments: [
            (#"{"0.1.2",[{"0.1.1",[],[point_of_no_return]}],[]}."#, nil),
            (#"{"0.1.2",[{"0.1.1",[],[restart_emulator]}],[]}."#, "it restarts the emulator"),
            (
                #"{"0.1.2",[{"0.1.1",[],[restart_new_emulator,point_of_no_return]}],[]}."#,
                "it restarts the emulator"
            ),
            (#"{"0.1.2",[{"0.1.0",[],[]}],[]}."#, "it does not lead from 0.1.1"),
            (#"{"0.1.2",[{"0.1.1",[]}],[]}."#, "it is no relup"), ("", "it is no relup"),
        ] as [(String, String?)])
    func `a relup is inspected before anything is installed`(text: String, reason: String?) throws {
        try tree.write(released + "/relup", text)
        do throws(FileSystemError) {
            try steps.inspectRelup(plan)
            #expect(reason == nil)
        } catch {
            #expect(error.description.hasSuffix(reason ?? "no error"))
        }
    }

    @Test func `a relup that was not written is an error`() {
        #expect(throws: FileSystemError.unusable("\(released)/relup: it was not written")) {
            try steps.inspectRelup(plan)
        }
    }

    // MARK: Configuration

    @Test func `the resolved configuration is private, and the pristine one comes back`() throws {
        try unpack()
        let pristine = try tree.read(released + "/sys.config")
        try steps.writeConfiguration(Array("secret".utf8), plan)
        #expect(try tree.read(released + "/sys.config") == "secret")
        #expect(try tree.files.status(released + "/sys.config")?.mode == 0o600)
        #expect(try tree.read(released + "/sys.config.pristine") == pristine)
        try steps.restoreConfiguration(plan)
        #expect(try tree.read(released + "/sys.config") == pristine)
        #expect(try tree.files.status(released + "/sys.config")?.mode == 0o644)
        #expect(try !tree.exists(released + "/sys.config.pristine"))
        try steps.restoreConfiguration(plan)
        #expect(try tree.read(released + "/sys.config") == pristine)
    }

    @Test func `writing twice keeps the pristine configuration`() throws {
        try unpack()
        let pristine = try tree.read(released + "/sys.config")
        try steps.writeConfiguration(Array("first".utf8), plan)
        try steps.writeConfiguration(Array("second".utf8), plan)
        #expect(try tree.read(released + "/sys.config.pristine") == pristine)
    }

    @Test
    func `wherever writing and restoring stop, the next start has the pristine configuration`()
        throws
    {
        try unpack()
        let pristine = try tree.read(released + "/sys.config")
        let counting = FaultInjectingFileSystem(tree.files)
        try steps(counting).writeConfiguration(Array("secret".utf8), plan)
        try steps(counting).restoreConfiguration(plan)
        #expect(counting.operationCount > 8)
        for target in 1...counting.operationCount {
            let stopping = FaultInjectingFileSystem(tree.files, at: target)
            do throws(FileSystemError) {
                try steps(stopping).writeConfiguration(Array("secret".utf8), plan)
                try steps(stopping).restoreConfiguration(plan)
                Issue.record("operation \(target) was not reached")
            } catch {}
            try HotUpgradeFiles.restorePristineConfiguration(tree.current, files: tree.files)
            #expect(try tree.read(released + "/sys.config") == pristine)
            #expect(try !tree.exists(released + "/sys.config.pristine"))
        }
    }

    @Test func `restoring a folder without releases does nothing`() throws {
        try HotUpgradeFiles.restorePristineConfiguration(
            tree.root + "/nowhere", files: tree.files)
        try HotUpgradeFiles.restorePristineConfiguration(tree.current, files: tree.files)
    }

    // MARK: RELEASES

    @Test func `the RELEASES file names the libraries by relative paths`() throws {
        try ReleasesFile.write(for: tree.current, name: "counter", files: tree.files)
        let terms = try ErlangFile.terms(
            Array(try tree.read(tree.current + "/releases/RELEASES").utf8))
        let libraries = [
            "kernel-8.5.3", "stdlib-4.2", "elixir-1.14.0", "sasl-4.2", "counter-0.1.1",
        ]
        .map { library in
            let parts = library.split(separator: "-")
            return #"{\#(parts[0]),"\#(parts[1])","lib/\#(library)"}"#
        }
        let expected =
            #"[{release,"counter","0.1.1","13.1.5",[\#(libraries.joined(separator: ","))],permanent}]."#
        #expect(try terms == ErlangFile.terms(Array(expected.utf8)))
    }

    @Test func `a RELEASES file that names what boots is left alone`() throws {
        let path = tree.current + "/releases/RELEASES"
        let text = #"""
            [{release,"counter","0.1.1","13.1.5",[],permanent},
             {release,"counter","0.1.0","13.1.5",[],old}].
            """#
        try tree.write(path, text)
        try ReleasesFile.write(for: tree.current, name: "counter", files: tree.files)
        #expect(try tree.read(path) == text)
    }

    @Test(arguments: [
        "", "[", #"[{release,"counter","0.1"#, "[].", "%% coding: utf-8\n", "[{release}].", "\0",
        // make_permanent was cut off after it had written what boots.
        #"[{release,"counter","0.1.0","13",[],permanent},{release,"counter","0.1.1","13",[],current}]."#,
    ])
    func `a RELEASES file that no node could use is written anew`(text: String) throws {
        let path = tree.current + "/releases/RELEASES"
        try tree.write(path, text)
        try ReleasesFile.write(for: tree.current, name: "counter", files: tree.files)
        #expect(try tree.read(path).contains("\"lib/counter-0.1.1\""))
        #expect(try tree.read(path).hasSuffix(",permanent}].\n"))
    }

    @Test(arguments: ["", "13.1", "13.1.5 0.1.2 3"])
    func `a start_erl data that make_permanent has cut is written for the permanent release`(
        text: String
    ) throws {
        try tree.write(
            tree.current + "/releases/RELEASES",
            #"""
            [{release,"counter","0.1.2","13.1.5",[],current},
             {release,"counter","0.1.1","13.1.5",[],permanent}].
            """#)
        try tree.write(tree.current + "/releases/start_erl.data", text)
        try ReleasesFile.write(for: tree.current, name: "counter", files: tree.files)
        #expect(
            try tree.read(tree.current + "/releases/start_erl.data")
                == "13.1.5 0.1.1")
    }

    @Test func `a folder that does not say what boots next gets no RELEASES file`() throws {
        try tree.write(tree.current + "/releases/start_erl.data", "")
        #expect(throws: FileSystemError.self) {
            try ReleasesFile.write(for: tree.current, name: "counter", files: tree.files)
        }
        #expect(try !tree.exists(tree.current + "/releases/RELEASES"))
    }
}
