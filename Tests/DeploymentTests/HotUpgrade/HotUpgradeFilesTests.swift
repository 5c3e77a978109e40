import ExternalTermFormat
import FaultyDisk
import Foundation
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
        for folder in [tree.current, tree.staged] {
            try tree.write("\(folder)/lib/sasl-4.2/ebin/m.beam", SampleBeam.bytes(code: "1"))
        }
    }

    private var steps: HotUpgradeFiles { steps(tree.files) }

    private func steps(_ files: any FileSystem) -> HotUpgradeFiles {
        HotUpgradeFiles(current: tree.current, staged: tree.staged, files: files)
    }

    private var released: String { tree.current + "/releases/0.1.2" }

    /// What is placed, with a configuration of one setting.
    private func preparation(
        _ value: Term = .binary("secret"), relup: String? = nil
    ) throws -> HotUpgrade.Preparation {
        let function = Term.fun(
            Fun(
                arity: 1, uniq: try BeamCode(SampleBeam.bytes(code: "1")).digest, index: 0,
                module: "m", oldIndex: 0, oldUniq: 0,
                pid: PID(node: "a@b", id: 1, serial: 0, creation: 1),
                freeVariables: []))
        let text = relup ?? #"{"0.1.2",[{"0.1.1",[],[point_of_no_return]}],[{"0.1.1",[],[]}]}."#
        let relup = try #require(try ErlangFile.terms(Array(text.utf8)).first)
        let settings: Term = [
            .tuple([.atom("key"), value == .atom("function") ? function : value])
        ]
        let printed = Term.tuple([
            .binary(tree.staged), [.tuple([.atom("counter"), settings])],
            .tuple([.atom(.ok), relup]),
        ]).encoded()
        let output = "deployex-configuration:\(Data(printed).base64EncodedString())\n"
        return try HotUpgrade.Preparation(plan, steps, Array(output.utf8))
    }

    /// Places it as an upgrade does.
    private func place() throws {
        try steps.placeRelease(plan, preparation())
    }

    // MARK: Placing and removing

    @Test func `what the running release has not is placed beside it, with the relup`() throws {
        try tree.write(tree.staged + "/lib/counter-0.1.2/priv/deep/file", "text")
        try tree.write(tree.staged + "/lib/sasl-4.2/other", "not copied")
        try tree.write(tree.staged + "/releases/counter-0.1.2.rel", "of Jellyfish")
        try place()
        #expect(try tree.read(tree.current + "/releases/counter-0.1.2.rel") == "of Jellyfish")
        #expect(try tree.read(tree.current + "/lib/counter-0.1.2/priv/deep/file") == "text")
        #expect(try !tree.exists(tree.current + "/lib/sasl-4.2/other"))
        #expect(try tree.files.list(released) == ["counter.rel", "relup", "sys.config"])
        #expect(
            try tree.read(released + "/relup").contains(#"{"0.1.1",[],[point_of_no_return]}"#))
        #expect(try tree.read(tree.current + "/releases/start_erl.data") == "13.1.5 0.1.1")
    }

    @Test func `a link in a library is named, and nothing of it stays`() throws {
        let path = tree.staged + "/lib/counter-0.1.2/priv"
        #expect(symlink("/etc/passwd", path) == 0)
        #expect(throws: FileSystemError.unusable("\(path) is a symbolic link")) { try place() }
        try steps.removeRelease(plan)
        #expect(try !tree.exists(tree.current + "/lib/counter-0.1.2"))
        #expect(try !tree.exists(released))
    }

    @Test func `placing removes what an earlier attempt has left, and nothing else`() throws {
        try place()
        try tree.write(released + "/old", "old")
        try tree.write(tree.current + "/releases/counter-0.1.2.rel", "old")
        try tree.write(tree.current + "/lib/counter-0.1.2/ebin/old.beam", "old")
        try place()
        #expect(try tree.files.list(released) == ["counter.rel", "relup", "sys.config"])
        #expect(try !tree.exists(tree.current + "/releases/counter-0.1.2.rel"))
        #expect(try !tree.exists(tree.current + "/lib/counter-0.1.2/ebin/old.beam"))
        #expect(
            try tree.files.list(tree.current + "/lib") == [
                "counter-0.1.1", "counter-0.1.2", "elixir-1.14.0", "kernel-8.5.3", "sasl-4.2",
                "stdlib-4.2",
            ])
        #expect(try tree.exists(tree.current + "/releases/0.1.1/counter.rel"))
    }

    @Test func `a library that another release has left is placed anew`() throws {
        // 0.1.0 once consisted of it; what is there now need not be whole.
        try tree.release(tree.current, "0.1.0", counter: "0.1.2")
        try tree.write(tree.current + "/lib/counter-0.1.2/ebin/half.beam", "half")
        try place()
        #expect(try !tree.exists(tree.current + "/lib/counter-0.1.2/ebin/half.beam"))
        #expect(try tree.exists(tree.current + "/lib/counter-0.1.2/ebin/counter.app"))
    }

    @Test func `libraries stay that any other release in the folder consists of`() throws {
        // 0.1.0 was upgraded from once, and shares a library with what is removed.
        try place()
        try tree.release(tree.current, "0.1.0", counter: "0.1.2")
        try steps.removeRelease(plan)
        #expect(try tree.exists(tree.current + "/lib/counter-0.1.2"))
        #expect(try !tree.exists(released))
    }

    @Test func `libraries stay when it is unknown what the running release consists of`() throws {
        try place()
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
            (#"{"0.1.2",[{"0.1.1",[]}],[]}."#, "it is no relup"),
        ] as [(String, String?)])
    func `a relup is inspected before anything is installed`(text: String, reason: String?) throws {
        do {
            _ = try preparation(relup: text)
            #expect(reason == nil)
        } catch {
            #expect("\(error)".hasSuffix(reason ?? "no error"))
        }
    }

    // MARK: Configuration

    @Test func `the resolved configuration is private, and the pristine one comes back`() throws {
        try place()
        let pristine = try tree.read(released + "/sys.config")
        try steps.writeConfiguration(plan, preparation())
        let text = "%% coding: utf-8\n[{counter,[{key,<<\"secret\">>}]}].\n"
        #expect(try tree.read(released + "/sys.config") == text)
        #expect(try tree.files.status(released + "/sys.config")?.mode == 0o600)
        #expect(try tree.read(released + "/sys.config.pristine") == pristine)
        try steps.restoreConfiguration(plan)
        #expect(try tree.read(released + "/sys.config") == pristine)
        #expect(try tree.files.status(released + "/sys.config")?.mode == 0o644)
        #expect(try !tree.exists(released + "/sys.config.pristine"))
        try steps.restoreConfiguration(plan)
        #expect(try tree.read(released + "/sys.config") == pristine)
    }

    @Test func `what no text can hold comes with the relup, which is private meanwhile`() throws {
        try place()
        let (pristine, relup) = (
            try tree.read(released + "/sys.config"), try tree.read(released + "/relup")
        )
        try steps.writeConfiguration(plan, preparation(.atom("function")))
        #expect(try tree.read(released + "/sys.config") == "%% coding: utf-8\n[{counter,[]}].\n")
        let changed = try tree.read(released + "/relup")
        #expect(
            changed.contains(
                "{apply,{erl_eval,exprs,[[{call,0,{remote,0,{atom,0,application},{atom,0,set_env}},"
                    + "[{call,0,{remote,0,{atom,0,erlang},{atom,0,binary_to_term}},"
                    + "[{var,0,'Configuration'}]}]}],[{'Configuration',<<131,"))
        #expect(changed.contains("point_of_no_return"))
        #expect(try tree.files.status(released + "/relup")?.mode == 0o600)
        try steps.restoreConfiguration(plan)
        #expect(try tree.read(released + "/sys.config") == pristine)
        #expect(try tree.read(released + "/relup") == relup)
        #expect(try tree.files.list(released) == ["counter.rel", "relup", "sys.config"])
    }

    @Test func `writing twice keeps the pristine configuration`() throws {
        try place()
        let pristine = try tree.read(released + "/sys.config")
        try steps.writeConfiguration(plan, preparation(.binary("first")))
        try steps.writeConfiguration(plan, preparation(.binary("second")))
        #expect(try tree.read(released + "/sys.config.pristine") == pristine)
    }

    @Test
    func `wherever writing and restoring stop, the next start has the pristine configuration`()
        throws
    {
        try place()
        let pristine = try tree.read(released + "/sys.config")
        let counting = FaultInjectingFileSystem(tree.files)
        try steps(counting).writeConfiguration(plan, preparation(.atom("function")))
        try steps(counting).restoreConfiguration(plan)
        #expect(counting.operationCount > 8)
        let prepared = try preparation(.atom("function"))
        let relup = try tree.read(released + "/relup")
        for target in 1...counting.operationCount {
            let stopping = FaultInjectingFileSystem(tree.files, at: target)
            do throws(FileSystemError) {
                try steps(stopping).writeConfiguration(plan, prepared)
                try steps(stopping).restoreConfiguration(plan)
                Issue.record("operation \(target) was not reached")
            } catch {}
            try HotUpgradeFiles.restorePristineConfiguration(tree.current, files: tree.files)
            #expect(try tree.read(released + "/sys.config") == pristine)
            #expect(try !tree.exists(released + "/sys.config.pristine"))
            #expect(try tree.read(released + "/relup") == relup)
            #expect(try !tree.exists(released + "/relup.pristine"))
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
