internal import Deployment
internal import ErlDist
internal import ExternalTermFormat
internal import Supervisor
internal import TestKit
internal import Transport

/// The node of an instance, as a simulated deployex calls it: `init`, `application` and a release_handler.
final class SimulatedNodeCalls: RemoteNode, @unchecked Sendable {
    private let deployex: SimulatedDeployex
    private var loop: SimulatedLoop { deployex.loop }
    private var world: SimulatedWorld { deployex.world }
    private let number: InstanceNumber

    init(_ deployex: SimulatedDeployex, _ number: InstanceNumber) {
        self.deployex = deployex
        self.number = number
    }

    func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term {
        await loop.pause(.milliseconds(1) ... .milliseconds(50))
        guard !loop.hasEnded, let process = world.nodeProcess(number), let node = process.node
        else { throw .unreachable("connection refused") }
        deployex.connected(number, node.creation)
        let (identity, creation) = (process.identity, node.creation)
        let isUpgrade = module.name == "release_handler" || module.name == "systools"
        let isLate =
            !node.answers(at: world.now)
            || (isUpgrade && world.random.chance(world.scenario.failingUpgrades / 8))
        if isLate {
            if isUpgrade {
                // The node may still do it, when nobody waits any more.
                world.after(timeout + .seconds(1)) { [world, number] in
                    _ = world.answer(identity, creation, number, function.name, arguments)
                }
            }
            await loop.pause(timeout...timeout)
            if world.sabotage == .ignoresSilence, !isUpgrade,
                let answer = world.answer(identity, creation, number, function.name, arguments)
            {
                return answer
            }
            throw .timedOut
        }
        let answer = await self.answer(
            identity, creation, function.name, arguments, isUpgrade: isUpgrade)
        guard let answer, !loop.hasEnded else { throw .connectionLost("closed") }
        return answer
    }

    /// What the node does it does whether deployex lives or not.
    private func answer(
        _ identity: ProcessIdentity, _ creation: UInt32, _ function: String, _ arguments: [Term],
        isUpgrade: Bool
    ) async -> Term? {
        var delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(isUpgrade ? 500 : 200)
        // An answer that is long under way, and perhaps no longer true.
        let isSlow = !isUpgrade && world.random.chance(5)
        if isSlow { delay = .milliseconds(1) ... .milliseconds(30) }
        let taken = Taken()
        world.after(delay) { [world, number] in
            taken.answer = world.answer(identity, creation, number, function, arguments)
        }
        await loop.pause(delay.upperBound...delay.upperBound)
        guard isSlow else { return taken.answer }
        await loop.pause(.milliseconds(200) ... .milliseconds(750))
        return deployex.connections[number] == creation ? taken.answer : nil
    }

    private final class Taken {
        var answer: Term?
    }
}

extension SimulatedWorld {
    /// What the node answers; `nil` when it is not there any more.
    fileprivate func answer(
        _ identity: ProcessIdentity, _ creation: UInt32, _ number: InstanceNumber,
        _ function: String,
        _ arguments: [Term]
    ) -> Term? {
        guard let node = host[identity]?.node, node.creation == creation else { return nil }
        switch function {
        case "getpid": return .charlist("\(identity.pid)")
        case "get_status": return .tuple([.atom("started"), .atom("started")])
        case "which_applications":
            let isStarted = node.isReady(at: now) || sabotage == .takesConnectedForReady
            // Those of the release's `.rel` file; its own comes last.
            let names: [Atom] = ["kernel", "stdlib", "sasl"]
            return .list(
                (names + (isStarted ? [Atom(shortEnough: Scenario.application)] : [])).map {
                    .tuple([.atom($0), .charlist(""), .charlist(node.running.version)])
                })
        case "exprs": return .tuple([.atom("value"), .tuple([script(arguments), 1]), []])
        case "get_master": return .atom("undefined")
        default:
            note("  node \(number): \(function)")
            return ReleaseHandler(self, identity, number).answer(function, arguments, node)
        }
    }
}

/// What a script answers that is sent to the node: no module is loaded from a file, the tree of supervisors
/// can be walked, and every setting is as it should be.
private func script(_ arguments: [Term]) -> Term {
    let bindings = arguments.last?.asList ?? []
    let text = bindings.compactMap(\.asTuple).first { $0.first == .atom("Text") }?.last?.asText
    return text?.contains("get_supervised_procs") == true ? .tuple([0, 0, []]) : []
}

/// The release_handler of a simulated node.
private struct ReleaseHandler {
    private let world: SimulatedWorld
    private let identity: ProcessIdentity
    private let number: InstanceNumber

    init(_ world: SimulatedWorld, _ identity: ProcessIdentity, _ number: InstanceNumber) {
        self.world = world
        self.identity = identity
        self.number = number
    }

    private static let failure = Term.tuple([.atom("error"), .atom("simulated")])
    private var folder: String { world.layout.current(number) }

    func answer(_ function: String, _ arguments: [Term], _ node: SimulatedNode) -> Term {
        let fails = world.random.chance(world.scenario.failingUpgrades)
        switch function {
        case "which_releases": return Self.list(of: node)
        default: break
        }
        guard let text = arguments.first?.asText else {
            preconditionFailure("\(function) has no version: \(arguments)")
        }
        // `set_unpacked` is given a path, …/releases/VERSION/NAME.rel.
        let names = text.split(separator: "/")
        let version = names.count > 1 ? String(names[names.count - 2]) : text
        switch function {
        case "set_removed":
            guard world.host[identity]?.node?.unpacked.removeValue(forKey: version) != nil else {
                return .tuple([
                    .atom("error"), .tuple([.atom("no_such_release"), .charlist(version)]),
                ])
            }
            return .atom("ok")
        case "set_unpacked": return register(version, node, fails: fails)
        case "check_install_release":
            return fails ? Self.failure : installed(node)
        case "install_release": return install(version, node, fails: fails)
        case "make_permanent": return makePermanent(version, fails: fails)
        default: preconditionFailure("The node has no \(function)")
        }
    }

    private func installed(_ node: SimulatedNode) -> Term {
        .tuple([.atom("ok"), .charlist(node.running.version), .list([])])
    }

    private static func list(of node: SimulatedNode) -> Term {
        func entry(_ version: String, _ status: String) -> Term {
            .tuple([
                .charlist(Scenario.application), .charlist(version), .list([]),
                .atom(Atom(shortEnough: status)),
            ])
        }
        if let claimed = node.claimed { return .list([entry(claimed, "permanent")]) }
        var entries = [entry(node.permanent.version, "permanent")]
        if node.running.version != node.permanent.version {
            entries.append(entry(node.running.version, "current"))
        }
        for version in node.unpacked.keys.sorted()
        where version != node.running.version && version != node.permanent.version {
            entries.append(entry(version, "unpacked"))
        }
        return .list(entries)
    }

    /// The files are there already.
    private func register(_ version: String, _ node: SimulatedNode, fails: Bool) -> Term {
        let staged = StandingRelease(
            in: world.layout.new(number), of: Scenario.application, world.disk.image)
        guard case .whole(let release) = staged, release.version == version, !fails,
            release.versionFiles.allSatisfy({ path, bytes in
                (try? world.disk.image.read("\(folder)/\(path)", limit: .max)) == bytes
            })
        else { return Self.failure }
        guard node.unpacked[version] == nil else {
            return .tuple([
                .atom("error"), .tuple([.atom("existing_release"), .charlist(version)]),
            ])
        }
        world.host[identity]?.node?.unpacked[version] = release
        return .tuple([.atom("ok"), .charlist(version)])
    }

    private func install(_ version: String, _ node: SimulatedNode, fails: Bool) -> Term {
        guard let release = world.host[identity]?.node?.unpacked[version] else {
            return .tuple([.atom("error"), .atom("no_such_release")])
        }
        guard !fails else {
            // After the point of no return the node restarts by itself.
            if world.random.chance(50) {
                world.after(.milliseconds(100)) { [world, identity, number] in
                    world.reboot(identity, number)
                }
            }
            if world.sabotage == .claimsUpgrades {
                world.host[identity]?.node?.claimed = version
                return installed(node)
            }
            return .tuple([.atom("error"), .atom("code_change_failed")])
        }
        world.host[identity]?.node?.running = release
        world.behave(identity, as: release)
        return installed(node)
    }

    private func makePermanent(_ version: String, fails: Bool) -> Term {
        let failed = Term.tuple([.atom("error"), .atom("not_current")])
        if world.host[identity]?.node?.claimed != nil { return .atom("ok") }
        guard let node = world.host[identity]?.node, node.running.version == version, !fails
        else { return failed }
        var image = world.disk.image
        world.invariants.watch?.forget(number)
        do throws(FileSystemError) {
            try node.running.makePermanent(in: folder, &image)
        } catch {
            // A full disk: what was truncated stays so.
            world.disk.image = image
            return .tuple([.atom("error"), .atom("enospc")])
        }
        world.disk.image = image
        world.host[identity]?.node?.permanent = node.running
        return .atom("ok")
    }
}
