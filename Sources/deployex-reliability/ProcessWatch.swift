internal import FoundationEssentials
internal import Glibc
internal import Supervisor
internal import TestKit
internal import Transport

/// Looks at the instances' processes again and again, whether or not a deployex runs: which there are,
/// which have gone, and whether a decision to stop them was on disk before they went.
actor ProcessWatch {
    struct Seen: Hashable, Sendable {
        var instance: Int
        var pid: pid_t
        var startTicks: Substring
        var version: String
    }

    private nonisolated let loop: EventLoop
    private let site: Site
    private let replicas: Int
    /// Those that run now.
    private(set) var running: Set<Seen> = []
    private(set) var starts = 0
    /// Started with the version that had run before.
    private(set) var startsOfTheSame = 0
    /// What went without a decision, and two of one instance at a time.
    private(set) var unexplained: [String] = []
    private(set) var doubles: [String] = []
    /// The versions of the processes of each instance, oldest first.
    private var versions: [Int: [String]] = [:]
    private var decided: Set<pid_t> = []
    private var records: [Int: [UInt8]] = [:]
    private var isStopped = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ site: Site, replicas: Int) {
        self.site = site
        self.replicas = replicas
        loop = site.loop
    }

    /// Looks until it is told to stop.
    func run() async {
        while !isStopped {
            look()
            await loop.sleep(for: .milliseconds(15))
        }
    }

    func stop() {
        isStopped = true
    }

    func look() {
        readRecords()
        let now = Set(ProcFolder.pids.compactMap { seen($0) })
        for process in now.subtracting(running) { began(process) }
        for process in running.subtracting(now) { ended(process) }
        running = now
        for (instance, processes) in Dictionary(grouping: now, by: \.instance)
        where processes.count > 1 {
            // One of them may have ended while we looked.
            let alive = processes.filter { seen($0.pid) == $0 }
            guard alive.count > 1 else { continue }
            doubles.append("instance \(instance): \(alive.map(\.pid).sorted())")
        }
    }

    /// The decisions stand there before a signal is sent, and until nothing of the process is left.
    private func readRecords() {
        for instance in 1...replicas {
            let bytes = Files.bytes("\(site.base)/run/\(site.application)-\(instance).json")
            guard !bytes.isEmpty, bytes != records[instance] else { continue }
            records[instance] = bytes
            guard
                let record = try? JSONDecoder().decode(InstanceRecord.self, from: Data(bytes)),
                record.isStopping, let process = record.process
            else { continue }
            decided.insert(process.pid)
        }
    }

    private func began(_ process: Seen) {
        starts += 1
        if versions[process.instance]?.last == process.version { startsOfTheSame += 1 }
        versions[process.instance, default: []].append(process.version)
    }

    private func ended(_ process: Seen) {
        guard decided.remove(process.pid) == nil else { return }
        unexplained.append(
            "instance \(process.instance): process \(process.pid) (\(process.version)) has gone")
    }

    /// The virtual machine of an instance; `nil` for anything else, those of `bin/APP eval` included.
    private func seen(_ pid: pid_t) -> Seen? {
        guard let program = ProcFolder.program(pid), program.hasSuffix("/beam.smp") else {
            return nil
        }
        let root = "\(site.base)/service/\(site.application)/"
        guard program.hasPrefix(root),
            let number = program.dropFirst(root.count)
                .split(separator: "/").first.flatMap({ Int($0) })
        else { return nil }
        let status = ProcFolder.fields(pid)
        // What a virtual machine has forked is a second one until it becomes its own program.
        guard status.count > 19, status[0] != "Z", pid_t(status[3]) == pid,
            let parent = pid_t(status[1]), ProcFolder.program(parent) != program,
            ProcFolder.variable("RELEASE_COMMAND", of: pid) == "start",
            let version = ProcFolder.variable("RELEASE_VSN", of: pid)
        else { return nil }
        return Seen(instance: number, pid: pid, startTicks: status[19], version: version)
    }
}
