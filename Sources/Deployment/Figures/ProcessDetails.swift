package import ExternalTermFormat

/// What one process of a node does.
package struct ProcessDetails: Equatable, Sendable {
    /// The answer as it is shown.
    package var term: Term

    /// How many links and monitors are shown, and how much of a state.
    static let linkLimit = 100
    static let stateByteCount = 64 << 10

    /// A state is asked for only of a process that `proc_lib` has started, as those are that answer
    /// `sys:get_state/2`, and not of one that is large or has much to do. All texts are made, and
    /// cut, on the node.
    static let script = RemoteScript(
        """
        fun(Text, WithState, Limit) ->
            Pid = try list_to_pid(Text) catch _:_ -> none end,
            Print = fun(Term, Size) ->
                unicode:characters_to_binary(io_lib:format("~tp", [Term], [{chars_limit, Size}]))
            end,
            Some = fun(List) -> {length(List), [Print(E, 100) || E <- lists:sublist(List, Limit)]} end,
            case is_pid(Pid) andalso node(Pid) =:= node()
                andalso process_info(Pid, [registered_name, memory, message_queue_len, reductions,
                    current_function, initial_call, status, trap_exit, priority, total_heap_size,
                    group_leader, current_stacktrace, links, monitors, monitored_by]) of
                [{_, Name}, {_, Memory}, {_, Queue}, {_, Reductions}, {_, Current}, {_, Initial},
                 {_, Status}, {_, Traps}, {_, Priority}, {_, Heap}, {_, Leader}, {_, Stack}, {_, Links},
                 {_, Monitors}, {_, MonitoredBy}] ->
                    IsOwn = case Initial of {proc_lib, init_p, _} -> Memory < 16777216; _ -> false end,
                    First = case IsOwn of
                        true -> proc_lib:translate_initial_call(Pid);
                        false -> Initial
                    end,
                    State = case WithState andalso IsOwn andalso Queue < 1000 andalso Pid =/= self() of
                        true ->
                            try {ok, Print(sys:get_state(Pid, 500), 20000)}
                            catch exit:{timeout, _} -> timeout; _:_ -> none end;
                        false -> none
                    end,
                    #{pid => pid_to_list(Pid), name => Print(Name, 200), memory => Memory,
                      queue => Queue, reductions => Reductions, current => Print(Current, 200),
                      initial => Print(First, 200), status => Status, traps => Traps,
                      priority => Priority, heap => Heap * erlang:system_info(wordsize),
                      leader => pid_to_list(Leader),
                      stack => [Print(Frame, 300) || Frame <- lists:sublist(Stack, 50)],
                      links => Some(Links), monitors => Some(Monitors),
                      monitored_by => Some(MonitoredBy), state => State};
                _ -> undefined
            end
        end.
        """)

    /// - Parameters:
    ///   - pid: as `<0.123.0>`.
    ///   - withState: whether the process is asked for its state, too. It answers when its turn
    ///     comes, and may know secrets.
    package init(
        of pid: String, on node: any RemoteNode, withState: Bool
    ) async throws(NodeError) {
        guard Self.isPID(pid) else { throw .notFound("a process is named as <0.123.0>") }
        let answer = try await Self.script.run(
            on: node, [.charlist(pid), Term(withState), .integer(Self.linkLimit)])
        guard answer.value != .atom("undefined") else {
            throw .notFound("there is no such process, or not any more")
        }
        guard let details = ProcessDetails(answer) else { throw .unexpectedAnswer }
        self = details
    }

    /// `<0.123.0>`, of the node itself.
    static func isPID(_ text: String) -> Bool {
        guard text.utf8.count <= 32, text.hasPrefix("<0."), text.hasSuffix(">") else {
            return false
        }
        let numbers = text.dropFirst().dropLast().split(
            separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 3
            && numbers.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
    }

    init?(_ answer: RemoteScript.Answer) {
        guard let map = answer.value.asMap,
            let stack = map["stack"]?.asList, stack.count <= 50
        else { return nil }
        var object = TermObject()
        object.add("pid", map["pid"]?.asText(upTo: 64))
        let name = map["name"]?.asText(upTo: 400)
        object.add("name", name == "[]" ? nil : name)
        for (key, shown) in Self.numbers {
            guard let value = map[key]?.asNatural else { return nil }
            object.add(shown, value)
        }
        for (key, shown) in Self.texts { object.add(shown, map[key]?.asText(upTo: 400)) }
        object.add("status", map["status"]?.asAtom?.name)
        object.add("priority", map["priority"]?.asAtom?.name)
        object.add("trap_exit", map["traps"]?.asBool)
        object.add("stacktrace", stack.compactMap { $0.asText(upTo: 800) })
        for key: Atom in ["links", "monitors", "monitored_by"] {
            guard let list = Self.list(map[key]) else { return nil }
            object.add(key, list)
        }
        object.add("state", Self.state(map["state"]))
        object.add("cost_microseconds", answer.microseconds)
        term = object.term
    }

    private static let numbers: [(Atom, Atom)] = [
        ("memory", "memory"), ("queue", "queue"), ("reductions", "reductions"),
        ("heap", "heap_bytes"),
    ]
    private static let texts: [(Atom, Atom)] = [
        ("current", "current_function"), ("initial", "initial_call"), ("leader", "group_leader"),
    ]

    private static func state(_ term: Term?) -> String? {
        if term == .atom("timeout") { return "no answer within half a second" }
        return term?.asTuple(of: 2)?[1].asText(upTo: stateByteCount)
    }

    /// `{Count, [Text]}`
    private static func list(_ term: Term?) -> Term? {
        guard let parts = term?.asTuple(of: 2), let count = parts[0].asNatural,
            let shown = parts[1].asList, shown.count <= linkLimit
        else { return nil }
        var object = TermObject()
        object.add("count", count)
        object.add("shown", shown.compactMap { $0.asText(upTo: 200) })
        return object.term
    }
}
