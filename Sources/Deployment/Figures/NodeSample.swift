internal import ExternalTermFormat

/// What a node says of itself at one moment.
package struct NodeSample: Equatable, Sendable {
    package struct Memory: Equatable, Sendable {
        package var total = 0
        package var processes = 0
        package var system = 0
        package var atom = 0
        package var binary = 0
        package var code = 0
        package var ets = 0
    }

    /// A count and the limit at which the node ends.
    package struct Use: Equatable, Sendable {
        package var count: Int
        package var limit: Int

        package var percent: Double { limit > 0 ? Double(count) / Double(limit) * 100 : 0 }
    }

    /// How long a scheduler was busy, in units of the node.
    package struct SchedulerTime: Equatable, Sendable {
        package var active: Int
        package var total: Int
    }

    package var memory = Memory()
    package var runQueue: Int
    package var schedulersOnline: Int
    /// Of the online schedulers; `nil` unless something on the node counts it.
    package var schedulerTimes: [SchedulerTime]?
    package var reductions: Int
    /// The processor time that the node has used.
    package var runtimeMilliseconds: Int
    package var inputByteCount: Int
    package var outputByteCount: Int
    package var processes: Use
    package var ports: Use
    package var atoms: Use
    /// The node's own clock, which may be negative.
    package var microseconds: Int
    package var uptimeSeconds: Int
    /// How long the node has worked for the sample.
    package var costMicroseconds: Int

    /// Calls only what costs little on a node of any size. Scheduler times are there only if
    /// something else has switched them on: see `erlang:system_flag(scheduler_wall_time, true)`.
    static let script = RemoteScript(
        """
        fun() ->
            {{input, Input}, {output, Output}} = erlang:statistics(io),
            Info = fun erlang:system_info/1,
            {erlang:memory(),
             erlang:statistics(total_run_queue_lengths_all),
             Info(schedulers_online),
             erlang:statistics(scheduler_wall_time),
             element(1, erlang:statistics(reductions)),
             element(1, erlang:statistics(runtime)),
             {Input, Output},
             {{Info(process_count), Info(process_limit)}, {Info(port_count), Info(port_limit)},
              {Info(atom_count), Info(atom_limit)}},
             erlang:monotonic_time(microsecond),
             erlang:convert_time_unit(
                erlang:monotonic_time() - Info(start_time), native, second)}
        end.
        """, deadline: .seconds(2))

    package init(of node: any RemoteNode) async throws(NodeError) {
        let answer = try await Self.script.run(on: node)
        guard let sample = NodeSample(answer) else { throw .unexpectedAnswer }
        self = sample
    }

    /// `nil` if the answer has another shape.
    package init?(_ answer: RemoteScript.Answer) {
        guard let parts = answer.value.asTuple(of: 10),
            let memory = Memory(parts[0]), let queue = parts[1].asNatural,
            let online = parts[2].asNatural, let reductions = parts[4].asNatural,
            let runtime = parts[5].asNatural, let io = parts[6].asTuple(of: 2),
            let input = io[0].asNatural, let output = io[1].asNatural,
            let limits = parts[7].asTuple(of: 3), let processes = Use(limits[0]),
            let ports = Use(limits[1]), let atoms = Use(limits[2]),
            let clock = parts[8].asInteger, let uptime = parts[9].asNatural
        else { return nil }
        self.memory = memory
        runQueue = queue
        schedulersOnline = online
        schedulerTimes = Self.times(parts[3], online: online)
        self.reductions = reductions
        runtimeMilliseconds = runtime
        (inputByteCount, outputByteCount) = (input, output)
        (self.processes, self.ports, self.atoms) = (processes, ports, atoms)
        microseconds = clock
        uptimeSeconds = uptime
        costMicroseconds = answer.microseconds
    }

    /// `[{Id, Active, Total}]`; those beyond the online ones are off, or for long calculations.
    private static func times(_ term: Term, online: Int) -> [SchedulerTime]? {
        guard online <= 1024, let list = term.asList, list.count <= 4096 else { return nil }
        var times: [Int: SchedulerTime] = [:]
        for element in list {
            guard let parts = element.asTuple(of: 3), let id = parts[0].asNatural,
                let active = parts[1].asNatural, let total = parts[2].asNatural
            else { return nil }
            times[id] = SchedulerTime(active: active, total: total)
        }
        let found = (0..<online).compactMap { times[$0 + 1] }
        return found.count == online && online > 0 ? found : nil
    }
}

extension NodeSample.Memory {
    /// The list that `erlang:memory/0` returns.
    fileprivate init?(_ term: Term) {
        guard let list = term.asList, list.count <= 64 else { return nil }
        var kinds: [Atom: Int] = [:]
        for element in list {
            guard let pair = element.asTuple(of: 2), let name = pair[0].asAtom,
                let count = pair[1].asNatural
            else { return nil }
            kinds[name] = count
        }
        guard let total = kinds["total"] else { return nil }
        self.init(
            total: total, processes: kinds["processes"] ?? 0, system: kinds["system"] ?? 0,
            atom: kinds["atom"] ?? 0, binary: kinds["binary"] ?? 0, code: kinds["code"] ?? 0,
            ets: kinds["ets"] ?? 0)
    }
}

extension NodeSample.Use {
    /// `{Count, Limit}`
    fileprivate init?(_ term: Term) {
        guard let pair = term.asTuple(of: 2), let count = pair[0].asNatural,
            let limit = pair[1].asNatural
        else { return nil }
        self.init(count: count, limit: limit)
    }
}
