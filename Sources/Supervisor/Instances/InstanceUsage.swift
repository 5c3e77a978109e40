internal import Glibc

/// What the processes of an instance use together, as two looks at `/proc` show it.
package struct InstanceUsage: Equatable, Sendable {
    /// Of one processor: 150 are one and a half. `nil` after the first look.
    package var processorPercent: Double?
    /// The memory that is resident. What several of its processes share counts for each.
    package var memoryByteCount: Int
}

/// Turns looks at the processes of instances into what they use. It reads no clock and no file.
package struct UsageMeter: Sendable {
    private struct Key: Hashable, Sendable {
        var pid: Int32
        var startTicks: UInt64
    }

    private struct Look: Sendable {
        var seconds: Double
        var ticks: [Key: UInt64]
    }

    private let ticksPerSecond: Double
    private let pageByteCount: Int
    private var last: [InstanceName: Look] = [:]

    package init(ticksPerSecond: Int, pageByteCount: Int) {
        self.ticksPerSecond = Double(max(ticksPerSecond, 1))
        self.pageByteCount = pageByteCount
    }

    /// What the instances use whose leaders are given. The others are forgotten.
    /// - Parameters:
    ///   - all: every process of the host.
    ///   - seconds: the time of the look, from any beginning.
    package mutating func measure(
        _ leaders: [InstanceName: ProcessIdentity], among all: [ProcessStatus], at seconds: Double
    ) -> [InstanceName: InstanceUsage] {
        let children = Dictionary(grouping: all, by: \.parent)
        let sessions = Dictionary(grouping: all, by: \.session)
        var found: [InstanceName: InstanceUsage] = [:]
        var looks: [InstanceName: Look] = [:]
        for (name, leader) in leaders {
            let members = Self.members(of: leader, sessions, children)
            guard !members.isEmpty else { continue }
            let ticks = Dictionary(
                members.map { (Key(pid: $0.pid, startTicks: $0.startTicks), $0.processorTicks) }
            ) { first, _ in first }
            looks[name] = Look(seconds: seconds, ticks: ticks)
            found[name] = InstanceUsage(
                processorPercent: percent(since: last[name], ticks, at: seconds),
                memoryByteCount: members.reduce(0) { $0 + $1.residentPageCount } * pageByteCount)
        }
        last = looks
        return found
    }

    /// The leader's session, and its descendants in their own sessions: a BEAM makes one for each
    /// port program.
    private static func members(
        of leader: ProcessIdentity, _ sessions: [Int32: [ProcessStatus]],
        _ children: [Int32: [ProcessStatus]]
    ) -> [ProcessStatus] {
        let session = sessions[leader.pid] ?? []
        guard
            session.contains(where: {
                $0.pid == leader.pid && $0.startTicks == leader.startTicks
            })
        else { return [] }
        var members: [Int32: ProcessStatus] = [:]
        var rest = session
        while let next = rest.popLast() {
            guard members.updateValue(next, forKey: next.pid) == nil else { continue }
            rest += children[next.pid] ?? []
        }
        return Array(members.values)
    }

    private func percent(
        since last: Look?, _ ticks: [Key: UInt64], at seconds: Double
    ) -> Double? {
        guard let last, seconds > last.seconds else { return nil }
        // A process that was not there before has used all its time since then.
        let used = ticks.reduce(0.0) { sum, entry in
            let before = last.ticks[entry.key] ?? 0
            return sum + (entry.value > before ? Double(entry.value - before) : 0)
        }
        let percent = used / ticksPerSecond / (seconds - last.seconds) * 100
        return (percent * 10).rounded() / 10
    }
}

extension UsageMeter {
    /// For this host.
    package static func ofHost() -> UsageMeter {
        UsageMeter(
            ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)), pageByteCount: sysconf(Int32(_SC_PAGESIZE))
        )
    }

    /// Looks at all processes of the host. It blocks for some milliseconds.
    package mutating func look(
        _ leaders: [InstanceName: ProcessIdentity], at seconds: Double
    ) -> [InstanceName: InstanceUsage] {
        measure(leaders, among: ProcessStatus.all(), at: seconds)
    }
}
