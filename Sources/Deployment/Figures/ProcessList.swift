package import ExternalTermFormat

/// The processes of a node that use most of something.
package struct ProcessList: Equatable, Sendable {
    /// What processes are sorted by.
    package enum Order: String, Sendable, CaseIterable {
        case memory
        case queue
        case reductions

        var item: Atom {
            switch self {
            case .memory: "memory"
            case .queue: "message_queue_len"
            case .reductions: "reductions"
            }
        }
    }

    package struct Entry: Equatable, Sendable {
        package var pid: String
        package var name: String?
        package var initialCall: String
        package var currentFunction: String
        package var memoryByteCount: Int
        package var queueLength: Int
        package var reductions: Int
    }

    package var entries: [Entry]
    /// How many processes the node has.
    package var count: Int
    package var costMicroseconds: Int

    package static let limit = 200

    /// Walks over all processes without interpreting code for each: `zipwith`, `zip` and `sort` are
    /// compiled, and so is `process_info/2`. Details are asked of those at the top alone. With a
    /// hundred thousand processes it takes half a second, at low priority.
    static let script = RemoteScript(
        """
        fun(Item, Count) ->
            process_flag(priority, low),
            Pids = erlang:processes(),
            Values = lists:zipwith(
                fun erlang:process_info/2, Pids, lists:duplicate(length(Pids), Item)),
            Sorted = lists:reverse(lists:sort(lists:zip(Values, Pids))),
            Print = fun(Term) ->
                unicode:characters_to_binary(io_lib:format("~0tp", [Term], [{chars_limit, 200}]))
            end,
            Of = fun({_, Pid}) ->
                case process_info(Pid, [registered_name, memory, message_queue_len, reductions,
                                        current_function, initial_call]) of
                    [{_, Name}, {_, Memory}, {_, Queue}, {_, Reductions}, {_, Current}, {_, Initial}] ->
                        First = case Initial of
                            {proc_lib, init_p, _} when Memory < 16777216 ->
                                proc_lib:translate_initial_call(Pid);
                            _ -> Initial
                        end,
                        [{pid_to_list(Pid), Print(Name), Memory, Queue, Reductions, Print(Current),
                          Print(First)}];
                    undefined -> []
                end
            end,
            {length(Pids), lists:flatmap(Of, lists:sublist(Sorted, Count))}
        end.
        """, deadline: .seconds(10))

    package init(
        of node: any RemoteNode, by order: Order, limit: Int
    ) async throws(NodeError) {
        let limit = min(max(limit, 1), Self.limit)
        let answer = try await Self.script.run(
            on: node, [.atom(order.item), .integer(limit)])
        guard let list = ProcessList(answer), list.entries.count <= limit else {
            throw .unexpectedAnswer
        }
        self = list
    }

    init?(_ answer: RemoteScript.Answer) {
        guard let parts = answer.value.asTuple(of: 2), let count = parts[0].asNatural,
            let list = parts[1].asList, list.count <= Self.limit
        else { return nil }
        var entries: [Entry] = []
        for element in list {
            guard let parts = element.asTuple(of: 7), let pid = parts[0].asText(upTo: 64),
                let name = parts[1].asText(upTo: 400), let memory = parts[2].asNatural,
                let queue = parts[3].asNatural, let reductions = parts[4].asNatural,
                let current = parts[5].asText(upTo: 400), let initial = parts[6].asText(upTo: 400)
            else { return nil }
            entries.append(
                Entry(
                    pid: pid, name: name == "[]" ? nil : name, initialCall: initial,
                    currentFunction: current, memoryByteCount: memory, queueLength: queue,
                    reductions: reductions))
        }
        self.init(entries: entries, count: count, costMicroseconds: answer.microseconds)
    }

    private init(entries: [Entry], count: Int, costMicroseconds: Int) {
        self.entries = entries
        self.count = count
        self.costMicroseconds = costMicroseconds
    }

    package var term: Term {
        var object = TermObject()
        object.add("processes", entries.map(\.term))
        object.add("count", count)
        object.add("cost_microseconds", costMicroseconds)
        return object.term
    }
}

extension ProcessList.Entry {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("pid", pid)
        object.add("name", name)
        object.add("initial_call", initialCall)
        object.add("current_function", currentFunction)
        object.add("memory", memoryByteCount)
        object.add("queue", queueLength)
        object.add("reductions", reductions)
        return object.term
    }
}
