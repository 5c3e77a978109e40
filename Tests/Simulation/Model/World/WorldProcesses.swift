internal import Deployment
internal import Supervisor
internal import TestKit
internal import Transport

// The instances' processes and nodes, as the host runs them.

extension SimulatedWorld {
    /// A process that was started becomes the program in `current`.
    func programBegins(_ identity: ProcessIdentity, _ number: InstanceNumber) {
        invariants.programBegins(self, identity, number)
        runningWithoutFiles.remove(number)
        guard case .whole(let release) = standing(number) else {
            note("instance \(number) (\(identity)) cannot boot: \(standing(number))")
            return after(.milliseconds(50)) { self.end(identity, .code(1)) }
        }
        note("instance \(number) (\(identity)) boots \(release.version) \(release.hash)")
        var node = SimulatedNode(
            creation: host.newCreation(), running: release, permanent: release, upAt: now,
            readyAt: nil, answersFrom: now, reachableFrom: now)
        boot(&node, release)
        host[identity]?.node = node
        behave(identity, as: release)
    }

    private func boot(_ node: inout SimulatedNode, _ release: SimulatedRelease) {
        node.running = release
        node.permanent = release
        node.unpacked = [:]
        node.claimed = nil
        node.upAt = now + random.duration(.milliseconds(100) ... .milliseconds(600))
        let started = random.duration(.milliseconds(100) ... .seconds(2))
        node.readyAt = behaviour(of: release) == .neverReady ? nil : node.upAt + started
        node.answersFrom = now
        node.reachableFrom = now
    }

    func behaviour(of release: SimulatedRelease) -> ReleaseBehaviour {
        store.contents[release.hash]?.behaviour ?? .good
    }

    /// Lets the node do what its release does sooner or later.
    func behave(_ identity: ProcessIdentity, as release: SimulatedRelease) {
        guard let creation = host[identity]?.node?.creation else { return }
        func ifStillThere(_ body: @escaping () -> Void) -> () -> Void {
            {
                guard let node = self.host[identity]?.node, node.creation == creation,
                    node.running == release
                else { return }
                body()
            }
        }
        switch behaviour(of: release) {
        case .good: break
        case .neverReady: host[identity]?.node?.readyAt = nil
        case .crashing(let delay):
            let exit: ProcessExit = random.pick([.code(1), .code(0), .signal(11)])
            after(delay, ifStillThere { self.end(identity, exit) })
        case .hanging:
            after(
                .seconds(4),
                ifStillThere { self.host[identity]?.node?.answersFrom = SimulatedNode.never })
        }
    }

    /// The process ends, by itself or by a signal.
    func end(_ identity: ProcessIdentity, _ exit: ProcessExit) {
        guard let process = host[identity] else { return }
        host.end(identity)
        note("\(identity) ends: \(exit)")
        deployex?.processes.ended(identity, exit)
        if case .instance(let number) = process.role, let node = process.node {
            deployex?.connectionLost(number, node.creation)
        }
    }

    func reboot(_ identity: ProcessIdentity, _ number: InstanceNumber) {
        guard var node = host[identity]?.node else { return }
        guard case .whole(let release) = standing(number) else {
            // A node whose boot files are gone does not come back.
            return end(identity, .code(1))
        }
        let before = node.creation
        node.creation = host.newCreation()
        boot(&node, release)
        host[identity]?.node = node
        note("instance \(number) (\(identity)) reboots in place to \(release.version)")
        invariants.rebootedInPlace(self, number, before)
        behave(identity, as: release)
        deployex?.connectionLost(number, before)
    }

    /// deployex signals what it takes for a process of its own.
    func signal(_ identity: ProcessIdentity, _ role: SimulatedProcess.Role, kills: Bool) {
        invariants.signalled(self, identity, role)
        guard let process = host[identity] else { return }
        note("\(role) (\(identity)) gets \(kills ? "SIGKILL" : "SIGTERM")")
        guard !kills else {
            return after(.zero ... .milliseconds(20)) { self.end(identity, .signal(9)) }
        }
        host[identity]?.isEnding = true
        guard case .after(let delay) = process.termination,
            process.node?.answers(at: now) ?? true
        else { return }
        after(delay) { self.end(identity, .code(0)) }
    }

    /// The process whose node has the instance's name.
    func nodeProcess(_ number: InstanceNumber) -> SimulatedProcess? {
        host.processes(of: number).first { $0.node?.isUp(at: now) == true }
    }
}
