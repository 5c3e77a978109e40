internal import Deployment
internal import Supervisor
internal import TestKit
internal import Transport

/// One host with deployex, its disk, its instances, a store and an operator, all decided by a seed.
///
/// Everything happens on one thread, in the order of the simulated clock; the same seed does the same
/// again, whatever the machine.
final class SimulatedWorld: @unchecked Sendable {
    let scenario: Scenario
    let sabotage: Sabotage?
    var random: SeededRandom
    private(set) var now = MonotonicTime(nanoseconds: 0)
    private var queue = EventQueue()
    let disk: SimulatedDisk
    let layout: DeploymentLayout
    var host = SimulatedHost()
    var store = SimulatedStore()
    private(set) var deployex: SimulatedDeployex?
    var trace: Trace
    let invariants: Invariants
    var isCalm = false
    /// Whether the operator has let everything run again after that.
    var isTidy = false
    /// A release was deployed whose package had been replaced by another one of the same version, before
    /// the catalog was read that says so: what then runs under its name nobody can know.
    var isMislabelled = false
    /// Instances that run although somebody has removed their files since they were started.
    var runningWithoutFiles: Set<InstanceNumber> = []
    /// See ``hasWhatConfigurationsNeed()``.
    var configurationNeeds = (until: MonotonicTime(nanoseconds: 0), areMet: true)
    /// Whether everything is to be stopped, at the end.
    private(set) var isStopping = false
    private(set) var stepCount = 0
    private var nextLook = MonotonicTime(nanoseconds: 0)
    /// The kernel writes back by itself what nobody has synced.
    private var lastWriteBack = MonotonicTime(nanoseconds: 0)

    /// Told when a deployex has found out what there is, before it does anything.
    var onStart: ((SimulatedWorld) -> Void)?
    /// How deployex ends when the disk stops, and with which chance.
    private var stop: (ending: SimulatedDisk.Ending, seed: UInt64)?

    convenience init(seed: UInt64, sabotage: Sabotage?, isTraced: Bool) {
        var random = SeededRandom(seed: seed)
        let scenario = Scenario(using: &random)
        self.init(random, scenario, sabotage: sabotage, isTraced: isTraced)
    }

    /// One in which nothing happens by itself.
    convenience init(seed: UInt64, scenario: Scenario, sabotage: Sabotage?) {
        self.init(SeededRandom(seed: seed), scenario, sabotage: sabotage, isTraced: false)
        watchDisk()
    }

    private init(
        _ random: SeededRandom, _ scenario: Scenario, sabotage: Sabotage?, isTraced: Bool
    ) {
        self.random = random
        self.scenario = scenario
        self.sabotage = sabotage
        layout = DeploymentLayout(basePath: "/base", application: Scenario.application)
        disk = SimulatedDisk(roots: ["/base", "/log"])
        trace = Trace(isKept: isTraced)
        invariants = Invariants(replicas: scenario.configuration.replicas)
    }

    var replicas: Int { scenario.configuration.replicas }

    // MARK: Time

    func after(_ delay: Duration, _ event: @escaping () -> Void) {
        queue.add(at: now + delay, event)
    }

    func after(_ range: ClosedRange<Duration>, _ event: @escaping () -> Void) {
        after(random.duration(range), event)
    }

    var secondsSince1970: Int64 { 1_700_000_000 + now.nanoseconds / 1_000_000_000 }

    func note(_ text: @autoclosure () -> String) {
        trace.note(now, text())
    }

    // MARK: The run

    private static let stepLimit = 2_000_000
    /// How long after the last fault everything must be well.
    private var patience: Duration {
        .seconds(400) + scenario.configuration.timings.readyTimeout * 4
    }

    func run() {
        watchDisk()
        scheduleFaults()
        after(.zero) { self.startDeployex() }
        after(scenario.calmAfter) { self.calmDown() }
        let end = MonotonicTime(nanoseconds: 0) + scenario.calmAfter + patience
        defer { close() }
        while invariants.violation == nil {
            guard step() else { continue }
            if isCalm, !isStopping, now >= nextLook {
                nextLook = now + .milliseconds(250)
                if isWell {
                    guard scenario.endsStopped else { return }
                    stopAll()
                }
            }
            if isStopping, deployex?.hasFinished == true {
                return invariants.stopped(self)
            }
            guard now <= end, stepCount < Self.stepLimit else {
                let reason = isStopping ? "not everything has stopped" : whatIsWrong
                return invariants.fail(
                    "not well \(patience) after the last fault: \(reason ?? "too many steps")")
            }
        }
    }

    /// Runs one job of deployex, or else lets the next event happen. Whether it was an event.
    @discardableResult
    func step() -> Bool {
        stepCount += 1
        guard deployex?.loop.runJob() != true else {
            settle()
            return false
        }
        guard let (time, event) = queue.removeFirst() else {
            invariants.fail("nothing happens any more")
            return true
        }
        now = time
        event()
        settle()
        return true
    }

    /// Nothing happens any more.
    func close() {
        deployex?.end()
        deployex = nil
        queue = EventQueue()
    }

    /// Goes on where another world was.
    func resume(at time: MonotonicTime) {
        now = time
        lastWriteBack = time
    }

    /// Lets deployex end at the `count`-th disk operation from now, by `ending`, with chance of its own.
    func stop(
        at fault: DiskFault, after count: Int, ending: SimulatedDisk.Ending, seed: UInt64
    ) {
        stop = (ending, seed)
        disk.inject(fault, after: count)
    }

    /// After every step.
    private func settle() {
        if disk.isStopped {
            if let stop {
                self.stop = nil
                random = SeededRandom(seed: stop.seed)
                if case .powerCut = stop.ending {
                    host.reboot(now: now)
                    invariants.rebooted()
                }
                return deployexDies(stop.ending, "at its crash point")
            }
            deployexDies(.kill, "in a disk operation")
        } else if let ending = deployex?.ending {
            deployexDies(.kill, ending)
        }
        if now - lastWriteBack > .seconds(30) {
            lastWriteBack = now
            disk.alter { $0.synchronizeAll() }
        }
        invariants.checkStep(self)
    }

    // MARK: deployex

    func startDeployex() {
        guard deployex == nil else { return }
        note("deployex starts")
        let started = SimulatedDeployex(self)
        deployex = started
        started.start()
    }

    private func stopAll() {
        isStopping = true
        deployex?.stopAll()
    }

    /// The process ends; what it has not done yet is never done.
    /// - Parameter isFinal: it is not started again by itself.
    func deployexDies(
        _ ending: SimulatedDisk.Ending, _ reason: String, isFinal: Bool = false
    ) {
        guard let ended = deployex else { return }
        note("deployex ends \(reason) (\(ending))")
        deployex = nil
        ended.end()
        for number in InstanceNumber.first(replicas) { invariants.lingers(number, until: nil) }
        disk.restart(after: ending, using: &random)
        if isFull { fillDisk() }
        guard !isFinal else { return }
        after(.milliseconds(10) ... .seconds(3)) { self.startDeployex() }
    }

    func cutPower() {
        note("the power is cut")
        host.reboot(now: now)
        invariants.rebooted()
        let survival = random.pick(DiskImage.Survival.allCases)
        if deployex != nil {
            deployexDies(.powerCut(survival), "with the host")
        } else {
            disk.restart(after: .powerCut(survival), using: &random)
            if isFull { fillDisk() }
        }
    }

    // MARK: The disk

    var isFull = false

    func fillDisk() {
        isFull = true
        let room = random.int(0...3000)
        disk.alter { $0.capacity = $0.capacity - $0.availableByteCount + room }
    }

    func emptyDisk() {
        isFull = false
        disk.alter { $0.capacity = .max }
    }

    private func watchDisk() {
        let folders = InstanceNumber.first(replicas).map { layout.current($0) }
        let parents = InstanceNumber.first(replicas).map { layout.instanceFolder($0) }
        let watch = CurrentWatch()
        invariants.watch = watch
        disk.watch { image, operation in
            let names: Bool =
                switch operation {
                case .rename, .exchange, .removeTree, .removeFile: true
                case .createFile, .write, .overwrite, .finish, .createSymbolicLink,
                    .synchronizeFolder,
                    .synchronizeFileSystem, .makeFolder, .copyFile:
                    false
                }
            guard names else { return }
            for index in folders.indices
            where operation.paths.contains(where: { $0.isBelow(parents[index]) }) {
                watch.look(
                    InstanceNumber(index + 1),
                    StandingRelease(in: folders[index], of: Scenario.application, image),
                    operation)
            }
        }
    }

    func standing(_ number: InstanceNumber) -> StandingRelease {
        StandingRelease(in: layout.current(number), of: Scenario.application, disk.image)
    }
}
