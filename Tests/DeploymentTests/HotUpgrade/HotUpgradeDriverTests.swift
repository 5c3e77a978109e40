import ExternalTermFormat
import FaultyDisk
import Foundation
import Supervisor
import Testing
import Transport

@testable import Deployment

/// The whole upgrade on real files, with a node that does to them what a real one does.
struct HotUpgradeDriverTests {
    private let plan: HotUpgrade.Plan = {
        var plan = HotUpgrade.Plan(name: "counter", from: "0.1.1", to: "0.1.2")
        plan.timings.pause = .zero
        return plan
    }()

    private let log = Log()
    private let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func run(
        _ node: PretendedNode, _ tree: ReleaseTree, files: (any FileSystem)? = nil,
        exitStatus: Int32 = 0, runningExitStatus: Int32 = 0, standardError: String = "",
        loading modules: [String] = []
    ) async -> HotUpgrade.Outcome {
        let configuration: Term = [
            .tuple([.atom("counter"), [.tuple([.atom("key"), .binary("s3cret")])]])
        ]
        let purge = Term.atom("brutal_purge")
        let loads = modules.map { name -> Term in
            .tuple([.atom("load"), .tuple([.atom(Atom(shortEnough: name)), purge, purge])])
        }
        let steps: Term = [.tuple([.charlist("0.1.1"), [], .list(loads)])]
        let relup = Term.tuple([.atom(.ok), .tuple([.charlist("0.1.2"), steps, steps])])
        let printed = Term.tuple([.binary(tree.staged), configuration, relup]).encoded()
        let output = "deployex-configuration:\(Data(printed).base64EncodedString())\n"
        let log = log
        return await HotUpgrade.run(
            plan, on: node,
            files: HotUpgradeFiles(
                current: tree.current, staged: tree.staged, files: files ?? tree.files),
            evaluation: .init(environment: ["GREETING": "s3cret"]) {
                program, arguments, environment, _ in
                let isRunning = program == tree.current + "/bin/counter"
                #expect(isRunning || program == tree.staged + "/bin/counter")
                #expect(arguments == ["eval", StagedAnswer.expression])
                var expected = ["GREETING": "s3cret"]
                if !isRunning {
                    expected["DEPLOYEX_RUNNING_ROOT"] = tree.current
                    expected["DEPLOYEX_RUNNING_RELEASE"] = tree.current + "/releases/0.1.1/counter"
                }
                #expect(environment == expected)
                return .init(
                    exitStatus: isRunning ? runningExitStatus : exitStatus,
                    standardOutput: Array(output.utf8),
                    standardError: Array(standardError.utf8))
            }, loop: loop, log: { log.append("[\($0)] \($1)") })
    }

    @Test func `the resolved configuration is there, and private, while it is installed`()
        async throws
    {
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        let node = PretendedNode(tree)
        #expect(await run(node, tree) == .succeeded)
        #expect(
            node.installedConfiguration
                == "%% coding: utf-8\n[{counter,[{key,<<\"s3cret\">>}]}].\n")
        #expect(node.installedConfigurationMode == 0o600)
        #expect(try tree.filesHolding("s3cret") == [])
        #expect(log.lines.count == 3)
    }

    @Test func `what runs on of the old release is named`() async throws {
        let added = Term.tuple([.atom("extra"), .atom("undefined"), .atom("worker"), []])
        for (modules, child, expected) in [
            (["a", "b"], nil, "old code runs: a, b"),
            ([], added, "children are not started: extra of counter_sup"),
            (
                (1...7).map { "m\($0)" }, added,
                "old code runs: m1, m2, m3, m4, m5, …; children are not started: extra of counter_sup"
            ),
        ] as [([String], Term?, String)] {
            let tree = ReleaseTree()
            try tree.hotUpgrade()
            for module in modules {
                for (folder, code) in [
                    ("current/lib/counter-0.1.1", "1"), ("new/lib/counter-0.1.2", "2"),
                ] {
                    try tree.write(
                        "\(tree.root)/\(folder)/ebin/\(module).beam", SampleBeam.bytes(code: code))
                }
            }
            let node = PretendedNode(tree, oldModules: modules, addedChild: child)
            let outcome = await run(node, tree, loading: modules)
            guard case .succeededInPart(let remains) = outcome else {
                Issue.record("nothing is left")
                return
            }
            #expect(remains.text == expected)
        }
    }

    @Test func `the supervisors of each application that changes are asked`() async throws {
        let added = Term.tuple([.atom("extra"), .atom("undefined"), .atom("worker"), []])
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        let others = ["kernel-8.5.3", "stdlib-4.2", "elixir-1.14.0", "sasl-4.2", "same-1.0"]
        try tree.release(tree.current, "0.1.1", applications: others + ["web-1.0"])
        try tree.release(tree.staged, "0.1.2", applications: others + ["web-1.1", "new-1.0"])
        // The release is named like one application, and another one has the new child.
        let node = PretendedNode(tree, addedChild: added, supervised: "web")
        #expect(
            await run(node, tree)
                == .succeededInPart(leftBehind: .init(children: ["extra of counter_sup"])))
        #expect(node.askedFor == ["web", "counter", "web", "counter"])
    }

    @Test func `an application that includes a changed one is asked as well`() throws {
        func contents(_ version: String) throws -> ReleaseContents {
            let rel = """
                {release,{"r","1"},{erts,"13"},
                 [{part,"\(version)",load},{whole,"1",permanent,[part]},{same,"1"}]}.
                """
            return try ReleaseContents(relFile: Array(rel.utf8), includesERTS: true)
        }
        let (old, new) = (try contents("1"), try contents("2"))
        #expect(new.applications(changedSince: old) == ["part", "whole"])
        #expect(new.applications(changedSince: new) == [])
    }

    @Test func `questions to supervisors have a time limit for all of them`() async throws {
        let tree = ReleaseTree()
        let node = PretendedNode(tree)
        var supervisors = UnstartedChildren(node: node, applications: ["counter"], loop: loop)
        var found = await supervisors.find()
        #expect(found.isWhole && found.children.count == 1)
        supervisors.totalTimeout = .zero
        found = await supervisors.find()
        #expect(!found.isWhole && found.children.isEmpty)
        #expect(node.askedFor == ["counter"])
    }

    @Test func `a node that runs other code than its release is left alone`() async throws {
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        for (folder, code) in [("current/lib/counter-0.1.1", "3"), ("new/lib/counter-0.1.2", "2")] {
            try tree.write("\(tree.root)/\(folder)/ebin/a.beam", SampleBeam.bytes(code: code))
        }
        let node = PretendedNode(tree, oldModules: ["a", "of_no_release"])
        expectFailure(
            [.finish(await run(node, tree, loading: ["a"]))],
            reason: "the node runs other code than its release has: a", nodeIsUntouched: true)
        #expect(node.installedConfiguration == nil)
        #expect(try !tree.exists(tree.current + "/releases/0.1.2"))
    }

    @Test func `a process in the code before last is not killed by an upgrade`() async throws {
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        let node = PretendedNode(tree, lingering: [.atom("a")])
        expectFailure(
            [.finish(await run(node, tree))],
            reason: "processes still run the code before last, which an upgrade would kill: a",
            nodeIsUntouched: true)
        #expect(try !tree.exists(tree.current + "/releases/0.1.2"))
    }

    @Test func `settings that differ afterwards are named, without their values`() async throws {
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        let node = PretendedNode(
            tree, differingSettings: [.tuple([.atom("counter"), .atom("key")])])
        #expect(await run(node, tree) == .succeeded)
        #expect(
            log.lines.contains(
                "[warning] These settings are not as a start of the new release would set them: "
                    + "counter.key"))
    }

    @Test func `what was prepared is used, and nothing is prepared again`() async throws {
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        for (prepared, expected) in [
            (.cannotBoot(reason: "x"), .cannotBoot(reason: "x")),
            (.hindered(reason: "x"), .hindered(reason: "x")),
            (.failed(reason: "x"), .failed(reason: "x", nodeIsUntouched: true)),
        ] as [(HotUpgrade.Prepared, HotUpgrade.Outcome)] {
            let outcome = await HotUpgrade.run(
                plan, on: PretendedNode(tree),
                files: HotUpgradeFiles(
                    current: tree.current, staged: tree.staged, files: tree.files),
                evaluation: .init(environment: [:]) { _, _, _, _ in
                    throw FileSystemError.stopped
                }, prepared: prepared, loop: loop, log: { _, _ in })
            #expect(outcome == expected)
        }
    }

    @Test func `a module that has changed and is not loaded ends the upgrade before it begins`()
        async throws
    {
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        try tree.write(tree.current + "/lib/counter-0.1.1/ebin/a.beam", SampleBeam.bytes(code: "1"))
        try tree.write(tree.staged + "/lib/counter-0.1.2/ebin/a.beam", SampleBeam.bytes(code: "2"))
        let node = PretendedNode(tree)
        expectFailure(
            [.finish(await run(node, tree))],
            reason: "counter 0.1.2: changed, and not loaded: a", nodeIsUntouched: true)
        #expect(node.installedConfiguration == nil)
    }

    @Test func `a failed installation leaves no secret and no trace of the new version`()
        async throws
    {
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        let before = try tree.files.list(tree.current + "/releases")
        let node = PretendedNode(tree, installAnswer: error(.atom("code_change_failed")))
        let outcome = await run(node, tree)
        guard case .restarting(let reason) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(reason.contains("code_change_failed"))
        #expect(try tree.filesHolding("s3cret") == [])
        #expect(
            try tree.files.list(tree.current + "/releases") == before)
    }

    @Test func `what fails while the configuration is resolved is named without its text`()
        async throws
    {
        let tree = ReleaseTree()
        try tree.hotUpgrade()
        let text = "ERROR! Config provider failed\n** (KeyError) key not found in: s3cret"
        let reason = "the configuration of 0.1.2: it ended with status 1 (KeyError)"
        var outcome = await run(PretendedNode(tree), tree, exitStatus: 1, standardError: text)
        // What runs can read its own: the new release would not boot.
        #expect(outcome == .cannotBoot(reason: reason))
        #expect(!"\(outcome) \(log.lines)".contains("s3cret"))
        outcome = await run(
            PretendedNode(tree), tree, exitStatus: 1, runningExitStatus: 2, standardError: text)
        #expect(!"\(outcome) \(log.lines)".contains("s3cret"))
        // A deadline, or the host, says nothing about the release.
        let killed = await run(PretendedNode(tree), tree, exitStatus: 137)
        expectFailure([.finish(killed)], reason: "was killed", nodeIsUntouched: true)
        #expect(
            outcome == .hindered(reason: reason + "; that of 0.1.1, which runs, fails alike"))
    }

    @Test func `wherever the disk stops, the next start finds releases as they were made`()
        async throws
    {
        let counted = ReleaseTree()
        try counted.hotUpgrade()
        let counting = FaultInjectingFileSystem(counted.files)
        #expect(await run(PretendedNode(counted), counted, files: counting) == .succeeded)
        #expect(counting.operationCount > 15)
        for target in 1...counting.operationCount {
            for fault: FaultInjectingFileSystem.Fault in [.stop, .fail(code: ENOSPC)] {
                let tree = ReleaseTree()
                try tree.hotUpgrade()
                let old = try tree.read(tree.current + "/releases/0.1.1/sys.config")
                let files = FaultInjectingFileSystem(tree.files, at: target, fault: fault)
                let node = PretendedNode(tree)
                let outcome = await run(node, tree, files: files)
                if node.isPermanent {
                    #expect(outcome == .succeeded)
                } else {
                    expectFailure([.finish(outcome)], reason: "", nodeIsUntouched: true)
                    #expect(node.installedConfiguration == nil)
                }
                try HotUpgradeFiles.restorePristineConfiguration(
                    tree.current, files: tree.files)
                #expect(try tree.read(tree.current + "/releases/0.1.1/sys.config") == old)
                #expect(try tree.exists(tree.current + "/lib/counter-0.1.1/ebin/counter.app"))
                let new = tree.current + "/releases/0.1.2/sys.config"
                if try tree.exists(new) {
                    let pristine = tree.staged + "/releases/0.1.2/sys.config"
                    #expect(try tree.read(new) == tree.read(pristine))
                }
                #expect(!"\(outcome) \(log.lines)".contains("s3cret"))
            }
        }
    }
}

/// Lines of a log.
private final class Log: Sendable {
    private let content = Guarded<[String]>([])
    var lines: [String] { content.withLock { $0 } }
    func append(_ line: String) { content.withLock { $0.append(line) } }
}

/// Answers like a node that runs 0.1.1, and changes the files as its release handler would.
private final class PretendedNode: RemoteNode {
    private struct State {
        var status = [("0.1.1", "permanent")]
        var configuration: String?
        var mode: UInt32?
        var askedFor: [String] = []
    }

    private let tree: ReleaseTree
    private let installAnswer: Term
    /// They run the code `1`.
    private let oldModules: [String]
    private let addedChild: Term?
    /// Modules whose old code a process runs.
    private let lingering: [Term]
    /// What is not as it was configured.
    private let differingSettings: [Term]
    /// The application that has supervisors.
    private let supervised: Atom
    private let state = Guarded(State())

    var installedConfiguration: String? { state.withLock { $0.configuration } }
    var installedConfigurationMode: UInt32? { state.withLock { $0.mode } }
    /// The applications whose supervisors were asked for.
    var askedFor: [String] { state.withLock { $0.askedFor } }
    var isPermanent: Bool { state.withLock { $0.status[0] == ("0.1.2", "permanent") } }

    init(
        _ tree: ReleaseTree, installAnswer: Term = ok(.charlist("0.1.1"), []),
        oldModules: [String] = [], addedChild: Term? = nil, supervised: Atom = "counter",
        lingering: [Term] = [], differingSettings: [Term] = []
    ) {
        self.lingering = lingering
        self.differingSettings = differingSettings
        self.tree = tree
        self.supervised = supervised
        self.oldModules = oldModules
        self.addedChild = addedChild
        self.installAnswer = installAnswer
    }

    func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        if function == "get_master", let application = arguments.first?.asAtom {
            state.withLock { $0.askedFor.append(application.name) }
            guard application == supervised else { return .atom("undefined") }
        }
        if function == "exprs" {
            return .tuple([.atom("value"), .tuple([script(arguments), 1]), []])
        }
        do {
            return try answer(function.name)
        } catch {
            throw .exception("\(error)")
        }
    }

    private func script(_ arguments: [Term]) -> Term {
        let bindings = (arguments.last?.asList ?? []).compactMap(\.asTuple)
        let text = bindings.first { $0.first == .atom("Text") }?.last?.asText ?? ""
        if text.contains("get_supervised_procs") { return .tuple([3, 1, .list(lingering)]) }
        guard text.contains("erlang:loaded()") else { return .list(differingSettings) }
        return .list(
            oldModules.map { module in
                let digest = try? BeamCode(SampleBeam.bytes(code: "1")).digest
                return .tuple([
                    .binary(module), .binary(digest ?? []), .binary(""), .atom("false"),
                ])
            })
    }

    /// A supervisor with a child that has never had a process.
    private func supervision(_ function: String) -> Term {
        var children: [Term] = [
            .tuple([.atom("transient"), .atom("undefined"), .atom("worker"), []])
        ]
        if isPermanent, let addedChild { children.append(addedChild) }
        let pid = Term.pid(PID(node: "a@b", id: 1, serial: 0, creation: 1))
        switch function {
        case "get_master": return pid
        case "get_child": return .tuple([pid, .atom("counter")])
        case "get_callback_module": return .atom("counter_sup")
        case "count_children":
            return [
                .tuple([.atom("specs"), .integer(children.count)]),
                .tuple([.atom("active"), 0]), .tuple([.atom("supervisors"), 0]),
            ]
        default: return .list(children)
        }
    }

    private func answer(_ function: String) throws -> Term {
        let folder = tree.current + "/releases/0.1.2"
        switch function {
        case "which_releases":
            return state.withLock { state in
                .list(
                    state.status.map {
                        .tuple([
                            .charlist("counter"), .charlist($0.0), [],
                            .atom(Atom(shortEnough: $0.1)),
                        ])
                    })
            }
        case "set_unpacked":
            guard try tree.exists(folder + "/counter.rel"), try tree.exists(folder + "/relup")
            else { return refusal("no_such_file") }
            state.withLock { $0.status.insert(("0.1.2", "unpacked"), at: 0) }
            return ok(.charlist("0.1.2"))
        case "get_master", "get_child", "get_callback_module", "count_children", "which_children":
            return supervision(function)
        case "check_install_release": return ok(.charlist("0.1.1"), [])
        case "install_release":
            let configuration = try tree.read(folder + "/sys.config")
            let mode = try tree.files.status(folder + "/sys.config")?.mode
            state.withLock {
                ($0.configuration, $0.mode) = (configuration, mode)
                if installAnswer.asTuple?.first == .atom(.ok) { $0.status[0].1 = "current" }
            }
            return installAnswer
        case "make_permanent":
            state.withLock { $0.status = [("0.1.2", "permanent"), ("0.1.1", "old")] }
            return .atom(.ok)
        case "set_removed":
            state.withLock { $0.status.removeAll { $0.0 == "0.1.2" } }
            return .atom(.ok)
        default: return refusal("undef")
        }
    }
}

private func refusal(_ reason: Atom) -> Term {
    .tuple([.atom(.error), .atom(reason)])
}

extension ReleaseTree {
    /// The paths in `current/` of files that hold `text`.
    fileprivate func filesHolding(_ text: String) throws -> [String] {
        let root = URL(fileURLWithPath: current)
        let paths = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        var found: [String] = []
        while let url = paths?.nextObject() as? URL {
            guard try files.status(url.path)?.kind == .file else { continue }
            if try read(url.path).contains(text) { found.append(url.path) }
        }
        return found
    }
}
