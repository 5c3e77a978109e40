import ExternalTermFormat
import Foundation
import Supervisor
import Testing
import Transport

@testable import Deployment

/// Which packages are upgraded to in place. The files are real, the reading is the production code's.
struct UpgradeDecisionTests {
    private let tree: ReleaseTree
    private let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
        tree = ReleaseTree()
        try tree.hotUpgrade()
    }

    private func decide(
        from: String? = "0.1.1", to: String = "0.1.2", isConnected: Bool = true
    ) async -> UpgradeDecision {
        await HotUpgrade.decide(
            from: from, isConnected: isConnected, to: to, name: "counter",
            current: tree.current, staged: tree.staged, files: tree.files, loop: loop)
    }

    /// The decision's line as it is logged, after what all such lines begin with.
    private func result(_ decision: UpgradeDecision) -> String {
        let prefix = "HOT UPGRADE version NOT DETECTED, full deployment required, result: "
        #expect(decision.logLine.hasPrefix(prefix))
        return String(decision.logLine.dropFirst(prefix.count))
    }

    @Test func `an appup between the two versions is a hot upgrade`() async {
        let decision = await decide()
        #expect(decision == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
        #expect(
            decision.logLine == "HOT UPGRADE version DETECTED, from: 0.1.1 to: 0.1.2")
    }

    @Test func `a release is found that was itself installed by a hot upgrade`() async throws {
        let rel = try tree.read(tree.current + "/releases/0.1.1/counter.rel")
        try tree.files.removeFile(tree.current + "/releases/0.1.1/counter.rel")
        try tree.write(tree.current + "/releases/counter-0.1.1.rel", rel)
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
    }

    @Test func `without an appup the result is an empty list`() async throws {
        try tree.files.removeFile(tree.appup)
        #expect(result(await decide()) == "[]")
    }

    @Test func `two appups are one too many`() async throws {
        try tree.write(tree.staged + "/lib/counter-0.1.2/ebin/other.appup", "")
        #expect(
            await decide()
                == .fullDeployment(
                    reason: .notOneAppup(paths: [
                        "lib/counter-0.1.2/ebin/counter.appup",
                        "lib/counter-0.1.2/ebin/other.appup",
                    ])))
    }

    @Test(arguments: [
        #"{"0.1.3",[{"0.1.1",[]}],[{"0.1.1",[]}]}."#, #"{"0.1.2",[{"0.1.0",[]}],[{"0.1.0",[]}]}."#,
        #"{"0.1.2",[{"0.1.1",[]}],[]}."#, #"{"0.1.2",[],[]}."#, "{appup}.", "[].", "",
        #"{"0.1.2",[{"0.1.1",[]}],[{"0.1.0",[]}]}."#,
        #"{"0.1.2",[{<<"0.1.1">>,[]}],[{<<"0.1.1">>,[]}]}."#,
        #"{"0.1.2",[{"0.1.1",[]},{"0.1.0",[]}],[{"0.1.1",[]},{"0.1.0",[]}]}."#,
    ])
    func `an appup about anything else leads to a full deployment`(text: String) async throws {
        try tree.write(tree.appup, text)
        #expect(result(await decide()) == "{:error, :no_match_versions}")
    }

    @Test func `a hostile appup is a reason, and never an error or a crash`() async throws {
        let deep = String(repeating: "{", count: 200_000)
        let balanced =
            String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
            + "."
        let texts: [[UInt8]] = [
            Array(deep.utf8), Array(balanced.utf8), Array("{\"0.1.2\",[".utf8), [0xff, 0xfe, 0],
            (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7919) },
            Array(repeating: UInt8(ascii: "1"), count: 1 << 20),
            Array(repeating: UInt8(ascii: " "), count: (1 << 20) + 1),
            Array("\"".utf8), Array("<<1:99999999999>>.".utf8), Array("16#.".utf8),
        ]
        for text in texts {
            try tree.write(tree.appup, text)
            #expect(
                result(await decide()).hasPrefix(
                    "{:error, :error_reading_file}, lib/counter-0.1.2/ebin/counter.appup: "))
        }
    }

    @Test func `an appup that is no file is not read`() async throws {
        try tree.files.removeFile(tree.appup)
        symlink("/dev/zero", tree.appup)
        #expect(result(await decide()).hasPrefix("{:error, :error_reading_file}"))
        try tree.files.removeFile(tree.appup)
        try tree.files.makeFolder(tree.appup, mode: 0o755)
        #expect(result(await decide()).hasPrefix("{:error, :error_reading_file}"))
    }

    @Test func `nothing that runs is no hot upgrade`() async {
        #expect(await decide(from: nil) == .fullDeployment(reason: .runningVersionUnknown))
        #expect(await decide(from: "") == .fullDeployment(reason: .runningVersionUnknown))
        #expect(await decide(isConnected: false) == .fullDeployment(reason: .notConnected))
        #expect(await decide(from: "0.1.2") == .fullDeployment(reason: .sameVersion("0.1.2")))
    }

    @Test func `versions that do not belong into a path are not looked for`() async {
        for version in ["../0.1.1", "..", "a/b", "\0"] {
            #expect(result(await decide(from: version)).contains("does not belong into a path"))
            #expect(result(await decide(to: version)).contains("does not belong into a path"))
        }
    }

    @Test func `another ERTS needs a full deployment`() async throws {
        try tree.release(tree.staged, "0.1.2", erts: "14.0")
        #expect(
            await decide()
                == .fullDeployment(reason: .otherERTS(running: "13.1.5", staged: "14.0")))
    }

    @Test func `a package without ERTS needs a full deployment`() async throws {
        try tree.files.removeTree(tree.staged + "/erts-13.1.5")
        #expect(await decide() == .fullDeployment(reason: .withoutERTS))
    }

    @Test(arguments: [
        ("elixir", "1.14.0", "1.15.0"), ("kernel", "8.5.3", "8.5.4"), ("stdlib", "4.2", "4.3"),
        ("sasl", "4.2", "4.3"),
    ])
    func `another Elixir, or what only a restart replaces, needs a full deployment`(
        name: String, old: String, new: String
    ) async throws {
        let applications = ["kernel-8.5.3", "stdlib-4.2", "elixir-1.14.0", "sasl-4.2"]
            .map { $0 == "\(name)-\(old)" ? "\(name)-\(new)" : $0 }
        try tree.release(tree.staged, "0.1.2", applications: applications)
        #expect(
            await decide()
                == .fullDeployment(
                    reason: .otherApplication(name: name, running: old, staged: new)))
    }

    @Test func `without sasl there is no release handler`() async throws {
        try tree.release(
            tree.current, "0.1.1", applications: ["kernel-8.5.3", "stdlib-4.2", "elixir-1.14.0"])
        #expect(await decide() == .fullDeployment(reason: .withoutSASL))
    }

    @Test(arguments: ["restart_new_emulator", "restart_emulator"])
    func `a relup that restarts the emulator needs a full deployment`(
        instruction: String
    ) async throws {
        let relup = tree.staged + "/releases/0.1.2/relup"
        try tree.write(relup, "{\"0.1.2\",[{\"0.1.1\",[],[\(instruction)]}],[]}.")
        #expect(await decide() == .fullDeployment(reason: .emulatorRestart))
        try tree.write(relup, "{\"0.1.2\",[{\"0.1.0\",[],[\(instruction)]}],[]}.")
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
    }

    @Test func `a package that does not say what it consists of needs a full deployment`()
        async throws
    {
        try tree.write(tree.staged + "/releases/0.1.2/counter.rel", "{release}.")
        #expect(result(await decide()).contains("it is no {release, …} term"))
        try tree.files.removeFile(tree.staged + "/releases/0.1.2/counter.rel")
        #expect(result(await decide()).contains("does not exist"))
    }

    // MARK: What an upgrade in place leaves behind

    /// Writes a file of both releases: below `current`, then below `new`.
    private func differ(_ old: String, _ new: String, _ before: [UInt8]?, _ after: [UInt8]?) throws
    {
        if let before { try tree.write("\(tree.current)/\(old)", before) }
        if let after { try tree.write("\(tree.staged)/\(new)", after) }
    }

    @Test(arguments: ["env.sh", "vm.args"])
    func `what only a start reads needs a full deployment when it changes`(name: String)
        async throws
    {
        let (old, new) = ("releases/0.1.1/\(name)", "releases/0.1.2/\(name)")
        try differ(old, new, [1, 2], [1, 2])
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
        try differ(old, new, nil, [1, 3])
        #expect(await decide() == .fullDeployment(reason: .changedSetting(name)))
        try tree.files.removeFile("\(tree.staged)/\(new)")
        #expect(await decide() == .fullDeployment(reason: .changedSetting(name)))
    }

    @Test func `a changed or new consolidated protocol needs a full deployment`() async throws {
        func path(_ version: String, _ name: String) -> String {
            "releases/\(version)/consolidated/\(name).beam"
        }
        let (old, new) = (path("0.1.1", "Elixir.P"), path("0.1.2", "Elixir.P"))
        try differ(
            old, new, SampleBeam.bytes(code: "1", debug: "a"),
            SampleBeam.bytes(code: "1", debug: "b"))
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
        try differ(old, new, nil, SampleBeam.bytes(code: "2"))
        #expect(await decide() == .fullDeployment(reason: .changedProtocol("Elixir.P")))
        try differ(old, new, nil, SampleBeam.bytes(code: "1"))
        try differ(old, path("0.1.2", "Elixir.Q"), nil, SampleBeam.bytes(code: "1"))
        #expect(await decide() == .fullDeployment(reason: .changedProtocol("Elixir.Q")))
    }

    @Test func `what changes under an unchanged version needs a full deployment`() async throws {
        let beam = "lib/elixir-1.14.0/ebin/a.beam"
        try differ(
            beam, beam, SampleBeam.bytes(code: "1", debug: "a"), SampleBeam.bytes(code: "1"))
        try differ("lib/elixir-1.14.0/ebin/elixir.appup", "x", [1], nil)
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
        try differ(beam, beam, nil, SampleBeam.bytes(code: "2"))
        #expect(await decide() == .fullDeployment(reason: .changedFile(beam)))
        // Of damaged code nobody knows whether it is the same.
        try differ(beam, beam, nil, [1, 2, 3])
        #expect(result(await decide()).contains("it is no beam file"))
        try differ(beam, beam, nil, SampleBeam.bytes(code: "1"))
        let image = "lib/elixir-1.14.0/priv/static/logo.png"
        try differ(image, image, [1], [2])
        #expect(await decide() == .fullDeployment(reason: .changedFile(image)))
        try differ(image, image, nil, [1])
        let added = "lib/sasl-4.2/ebin/added.beam"
        try differ(added, added, nil, SampleBeam.bytes(code: "1"))
        #expect(await decide() == .fullDeployment(reason: .changedFile(added)))
    }

    @Test func `what the running release has written into its priv is no change`() async throws {
        let priv = "lib/elixir-1.14.0/priv"
        try differ("\(priv)/data/shipped", "\(priv)/data/shipped", [1], [1])
        try differ("\(priv)/data/downloaded", "x", [1], nil)
        try differ("\(priv)/uploads/image.png", "x", [1], nil)
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
        // What the package has, and the running release has not, is a change.
        try differ("x", "\(priv)/data/added", nil, [1])
        #expect(await decide() == .fullDeployment(reason: .changedFile("\(priv)/data/added")))
    }

    @Test func `a file of any size is compared`() async throws {
        let model = "lib/elixir-1.14.0/priv/model"
        try differ(model, model, [1], [1])
        let byteCount = BeamFile.maximumByteCount + 1
        for root in [tree.current, tree.staged] {
            #expect(truncate("\(root)/\(model)", byteCount) == 0)
        }
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
        try differ(model, model, nil, [2])
        #expect(truncate("\(tree.staged)/\(model)", byteCount) == 0)
        #expect(await decide() == .fullDeployment(reason: .changedFile(model)))
    }

    @Test func `of a version that changes the relup says what is installed`() throws {
        let folder = "lib/counter-0.1"
        func omission(_ instructions: String) throws -> String? {
            let relup = try Relup(
                Array("{\"0.1.2\",[{\"0.1.1\",[],[\(instructions)]}],[]}.".utf8))
            return try ReleaseComparison.read(
                current: tree.current, staged: tree.staged, name: "counter", from: "0.1.1",
                to: "0.1.2", files: tree.files
            ).omission(in: relup)
        }
        func start(_ version: String, _ argument: String) throws {
            let text = "{application,counter,[{mod,{app,\(argument)}}]}."
            let root = version == "0.1.1" ? tree.current : tree.staged
            try tree.write("\(root)/lib/counter-\(version)/ebin/counter.app", text)
        }
        try start("0.1.1", "[]")
        try start("0.1.2", "[]")
        for (name, before, after) in [
            ("same", "1", "1"), ("changed", "1", "2"), ("added", nil, "1"), ("gone", "1", nil),
            ("app", "1", "1"),
        ] as [(String, String?, String?)] {
            try differ(
                "\(folder).1/ebin/\(name).beam", "\(folder).2/ebin/\(name).beam",
                before.map { SampleBeam.bytes(code: $0) }, after.map { SampleBeam.bytes(code: $0) })
        }
        let both = "{load,{changed,p,p}},{load,{added,p,p}}"
        #expect(try omission(both) == nil)
        #expect(
            try omission("{load,{changed,p,p}},point_of_no_return,{load_object_code,{a,b,[added]}}")
                == "counter 0.1.2: changed, and not loaded: added")
        #expect(try omission("") == "counter 0.1.2: changed, and not loaded: added, changed")
        // A supervisor that is only loaded does not ask for its children again.
        let attributes: Term = [.tuple([.atom("behaviour"), [.atom("supervisor")]])]
        func supervisor(_ code: UInt8) -> [UInt8] {
            SampleBeam.bytes([("Code", [code]), ("Attr", attributes.encoded())])
        }
        try differ(
            "\(folder).1/ebin/sup.beam", "\(folder).2/ebin/sup.beam", supervisor(1), supervisor(2))
        let loading = "\(both),{load,{sup,p,p}}"
        #expect(
            try omission(loading)
                == "counter 0.1.2: the supervisor sup has changed and is only loaded, so that its "
                + "children stay as they were")
        #expect(try omission("\(loading),{code_change,up,[{sup,[]}]}") == nil)
        #expect(try omission("\(loading),{apply,{application,start,[counter]}}") == nil)
        try differ("x", "\(folder).2/ebin/sup.beam", nil, supervisor(1))
        // What starts the application is run by a start of it alone.
        let untold =
            "counter 0.1.2: what starts the application has changed, and only a start runs it"
        let restart = "{apply,{application,stop,[counter]}},{apply,{application,start,[counter]}}"
        try start("0.1.2", "[1]")
        #expect(try omission(both) == untold)
        #expect(try omission("\(both),\(restart)") == nil)
        try start("0.1.2", "[]")
        try differ("x", "\(folder).2/ebin/app.beam", nil, SampleBeam.bytes(code: "2"))
        #expect(try omission("\(both),{load,{app,p,p}}") == untold)
        #expect(try omission("\(both),{load,{app,p,p}},\(restart)") == nil)
    }

    // MARK: Jellyfish 0.2

    private func describe(
        _ application: String, _ type: String, from: String, to: String
    ) throws {
        let ebin = "\(tree.staged)/lib/\(application)-\(to)/ebin"
        try tree.write(
            "\(ebin)/jellyfish.json",
            #"{"name": "\#(application)", "type": "\#(type)", "from": "\#(from)", "to": "\#(to)"}"#)
        try tree.write(
            "\(ebin)/\(application).appup",
            "{\"\(to)\",[{\"\(from)\",[]}],[{\"\(from)\",[]}]}.")
    }

    private func addDependency(running: String, staged: String) throws {
        let others = ["kernel-8.5.3", "stdlib-4.2", "elixir-1.14.0", "sasl-4.2"]
        try tree.release(tree.current, "0.1.1", applications: others + ["jason-\(running)"])
        try tree.release(tree.staged, "0.1.2", applications: others + ["jason-\(staged)"])
        try describe("counter", "project", from: "0.1.1", to: "0.1.2")
    }

    @Test func `what Jellyfish describes is upgraded together with its dependencies`()
        async throws
    {
        try addDependency(running: "1.4.0", staged: "1.4.1")
        try describe("jason", "dependency", from: "1.4.0", to: "1.4.1")
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
    }

    @Test func `a library that changes without an appup needs a full deployment`() async throws {
        let others = ["kernel-8.5.3", "stdlib-4.2", "elixir-1.14.0", "sasl-4.2"]
        try tree.release(tree.current, "0.1.1", applications: others + ["jason-1.4.0", "gone-1"])
        try tree.release(tree.staged, "0.1.2", applications: others + ["jason-1.4.1", "new-1"])
        #expect(
            await decide()
                == .fullDeployment(
                    reason: .withoutAppup(name: "jason", running: "1.4.0", staged: "1.4.1")))
        try tree.write(tree.staged + "/lib/jason-1.4.1/ebin/jason.appup", "")
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
    }

    @Test func `a dependency from another version than the running one does not match`()
        async throws
    {
        try addDependency(running: "1.3.0", staged: "1.4.1")
        try describe("jason", "dependency", from: "1.4.0", to: "1.4.1")
        #expect(await decide() == .fullDeployment(reason: .noMatchingVersions))
    }

    @Test func `a dependency that does not change any more is no obstacle`() async throws {
        try addDependency(running: "1.4.1", staged: "1.4.1")
        try describe("jason", "dependency", from: "1.4.0", to: "1.4.1")
        #expect(await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"))
    }

    @Test func `a project described for other versions does not match`() async throws {
        try addDependency(running: "1.4.1", staged: "1.4.1")
        try tree.write(
            tree.staged + "/lib/counter-0.1.2/ebin/jellyfish.json",
            #"{"name": "counter", "from": "0.1.0", "to": "0.1.2"}"#)
        #expect(await decide() == .fullDeployment(reason: .noMatchingVersions))
    }

    @Test(arguments: ["", "[]", "{}", #"{"name":1,"from":"a","to":"b"}"#, "\u{0}", "{\"name\":"])
    func `a description that is none needs a full deployment`(text: String) async throws {
        try tree.write(tree.staged + "/lib/counter-0.1.2/ebin/jellyfish.json", text)
        #expect(result(await decide()).contains("jellyfish.json: it is no JSON object"))
    }

    @Test func `a deep description needs a full deployment`() async throws {
        try tree.write(
            tree.staged + "/lib/counter-0.1.2/ebin/jellyfish.json",
            String(repeating: "[", count: 60_000))
        #expect(result(await decide()).contains("jellyfish.json: it is no JSON object"))
    }
}
