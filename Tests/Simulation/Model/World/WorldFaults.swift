internal import Deployment
internal import Glibc
internal import Supervisor
internal import TestKit
internal import Transport

// What goes wrong, and what people do.

extension SimulatedWorld {
    func scheduleFaults() {
        publish(isLast: false)
        for fault in Scenario.Fault.allCases {
            guard let seconds = scenario.faults[fault] else { continue }
            scheduleNext(fault, meanSeconds: seconds)
        }
    }

    private func scheduleNext(_ fault: Scenario.Fault, meanSeconds: Int) {
        after(.milliseconds(50) ... .seconds(2 * meanSeconds)) {
            guard !self.isCalm else { return }
            self.strike(fault)
            self.scheduleNext(fault, meanSeconds: meanSeconds)
        }
    }

    private func strike(_ fault: Scenario.Fault) {
        switch fault {
        case .killsDeployex: killDeployex()
        case .detachesDeployex: deployex?.detach()
        case .cutsPower: cutPower()
        case .failsDisk: failDisk()
        case .fillsDisk:
            note("the disk is full")
            fillDisk()
            after(.seconds(1) ... .seconds(20)) { self.emptyDisk() }
        case .damagesState: damageState()
        case .removesFolders: removeFolder()
        case .killsInstances:
            withInstance {
                self.end($0.identity, self.random.pick([.code(0), .code(1), .signal(9)]))
            }
        case .freezesInstances: freezeInstance()
        case .losesDistribution: loseDistribution()
        case .rebootsNodes:
            withInstance { process in
                guard case .instance(let number) = process.role else { return }
                self.reboot(process.identity, number)
            }
        case .startsStrangers: startStranger()
        case .leavesSessions: withInstance { self.startDaemon(of: $0) }
        case .breaksStore: breakStore()
        case .publishes: publish(isLast: false)
        case .commands: command()
        }
    }

    private func withInstance(_ body: (SimulatedProcess) -> Void) {
        let processes = host.all.filter { $0.node != nil }
        guard !processes.isEmpty else { return }
        body(random.pick(processes))
    }

    // MARK: deployex and its disk

    private func killDeployex() {
        guard deployex != nil else { return }
        // Mostly at a disk operation to come; it may be long until then.
        guard random.chance(75) else { return deployexDies(.kill, "by SIGKILL") }
        disk.inject(.stop(random.pick(DiskFault.Progress.allCases)), after: random.int(1...25))
    }

    private func failDisk() {
        let code = random.pick([EIO, ENOSPC, EACCES])
        let count = random.int(1...20)
        guard random.chance(30) else {
            let progress = random.pick(DiskFault.Progress.allCases)
            note("disk operation \(count) from now gives error \(code)")
            return disk.inject(.fail(code: code, progress), after: count)
        }
        note("all disk operations give error \(code) for a while")
        disk.inject(.failAll(code: code), after: count)
        after(.seconds(1) ... .seconds(8)) { self.disk.clearFault() }
    }

    private func damageState() {
        let number = InstanceNumber(random.int(1...replicas))
        let paths = [
            layout.currentVersion(number), layout.previousVersion(number),
            layout.applicationRecord, "/base/run/counter-\(number).json",
        ]
        let path = random.pick(paths)
        guard disk.image.status(path) != nil else { return }
        let kind = random.int(0...2)
        note("\(path) is damaged")
        invariants.damaged(path, number)
        let seed = random.next()
        disk.alter { image throws(FileSystemError) in
            let bytes = try image.read(path, limit: .max)
            var random = SeededRandom(seed: seed)
            let damaged: [UInt8] =
                switch kind {
                case 0: []
                case 1: Array(bytes.prefix(bytes.count / 2))
                default: bytes.map { _ in UInt8(truncatingIfNeeded: random.next()) }
                }
            // Also on a full disk.
            let capacity = image.capacity
            image.capacity = .max
            try image.overwrite(path, with: damaged)
            image.capacity = capacity
            image.synchronizeAll()
        }
    }

    /// Somebody removes what deployex has made, with all that is in it.
    private func removeFolder() {
        let number = InstanceNumber(random.int(1...replicas))
        let path = random.pick([
            layout.current(number), layout.new(number), layout.instanceFolder(number),
            "/base/service",
            layout.versionFolder, "/base/run", "/log/\(Scenario.application)",
        ])
        guard disk.image.status(path) != nil else { return }
        note("\(path) is removed")
        for number in InstanceNumber.first(replicas) {
            if layout.current(number).isBelow(path) {
                invariants.removedCurrent(number)
                if !host.processes(of: number).isEmpty { runningWithoutFiles.insert(number) }
            }
            invariants.removed(path, number, at: now)
        }
        disk.alter { image throws(FileSystemError) in
            try image.removeTree(path)
            image.synchronizeAll()
        }
    }

    // MARK: Instances

    /// An instance starts a daemon, which leaves its session.
    private func startDaemon(of process: SimulatedProcess) {
        guard case .instance(let number) = process.role,
            host.all.count(where: { $0.leader != nil }) < 6
        else { return }
        let identity = host.start(.daemon(of: number), termination(), now: now)
        host[identity]?.leader = process.identity
        note("\(process.identity) starts \(identity), which leaves its session")
        after(.seconds(5) ... .seconds(90)) { self.end(identity, .code(0)) }
        deployex?.processes.daemonStarted(identity, by: process.identity)
    }

    private func freezeInstance() {
        withInstance { process in
            let isForEver = random.chance(30)
            let until =
                isForEver
                ? SimulatedNode.never : now + random.duration(.milliseconds(500) ... .seconds(8))
            note("\(process.identity) freezes")
            host[process.identity]?.node?.answersFrom = until
        }
    }

    private func loseDistribution() {
        withInstance { process in
            guard case .instance(let number) = process.role, let node = process.node else { return }
            note("\(process.identity) loses its connection")
            host[process.identity]?.node?.reachableFrom =
                now + random.duration(.zero ... .seconds(6))
            deployex?.connectionLost(number, node.creation)
        }
    }

    private func startStranger() {
        let identity = host.start(.stranger, .never, now: now)
        note("a stranger starts as \(identity)")
        after(.seconds(5) ... .seconds(60)) { self.host.end(identity) }
    }

    // MARK: The store

    func publish(isLast: Bool) {
        let good = isLast ? scenario.endsWell : !random.chance(scenario.badReleases)
        let behaviours: [ReleaseBehaviour] = [
            .neverReady, .crashing(after: .milliseconds(300)), .crashing(after: .seconds(5)),
            .hanging,
        ]
        let lastBehaviours: [ReleaseBehaviour] = [
            .neverReady, .crashing(after: .milliseconds(300)),
        ]
        let version = random.pick(Scenario.versions)
        let hasPreCommands = random.chance(scenario.preCommands)
        publish(
            version, good ? .good : random.pick(isLast ? lastBehaviours : behaviours),
            isBroken: !isLast && random.chance(scenario.brokenPackages),
            upgradesInPlace: random.chance(scenario.hotUpgrades),
            preCommands: hasPreCommands ? ["eval Migrations.run"] : [],
            preCommandsSucceed: good || random.chance(70))
    }

    func publish(
        _ version: String, _ behaviour: ReleaseBehaviour, isBroken: Bool = false,
        upgradesInPlace: Bool, preCommands: [String], preCommandsSucceed: Bool
    ) {
        store.publish(
            version, behaviour, isBroken: isBroken, upgradesInPlace: upgradesInPlace,
            preCommands: preCommands, preCommandsSucceed: preCommandsSucceed)
        note("published: \(store.packages[version].map { "\($0)" } ?? "")")
        deployex?.announce()
    }

    private func breakStore() {
        let before = store.catalog
        store.catalog = random.pick([.missing, .garbage])
        note("the catalog is \(store.catalog)")
        after(.seconds(1) ... .seconds(10)) {
            guard case .names = self.store.catalog else {
                self.store.catalog = before
                return
            }
        }
    }

    // MARK: The operator

    private func command() {
        let drawn = random.int(0...replicas + 1)
        let number = InstanceNumber(drawn == 0 ? replicas + 1 : drawn)
        let version = random.pick(Scenario.versions)
        let commands: [EngineCommand] = [
            .deploy(version: version), .deploy(version: nil), .restart(number), .stop(number),
            .start(number), .start(number), .rollback, .unghost(version),
        ]
        deployex?.command(random.pick(commands))
    }

    // MARK: The end of it

    /// From here on nothing goes wrong, and everything has to come right.
    func calmDown() {
        isCalm = true
        note("nothing goes wrong any more")
        disk.clearFault()
        emptyDisk()
        if case .names = store.catalog {
        } else if let any = store.packages.keys.sorted().first {
            store.catalog = .names(version: any)
        }
        publish(isLast: true)
        for process in host.all {
            if host[process.identity]?.node?.answersFrom == SimulatedNode.never { continue }
            host[process.identity]?.node?.reachableFrom = now
        }
        tidyUp()
    }

    /// The operator lets everything run again, once deployex can be asked.
    private func tidyUp() {
        guard let deployex else { return after(.seconds(1)) { self.tidyUp() } }
        guard deployex.command(.deploy(version: nil)) else {
            return after(.seconds(1)) { self.tidyUp() }
        }
        let stopped = deployex.snapshot.instances.filter(\.isStoppedByOperator).map(\.number)
        for number in stopped { deployex.command(.start(number)) }
        guard stopped.isEmpty else { return after(.seconds(2)) { self.tidyUp() } }
        isTidy = true
    }
}
