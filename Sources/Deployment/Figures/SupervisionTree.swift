package import ExternalTermFormat

/// The supervisors of an application and what they supervise.
package struct SupervisionTree: Equatable, Sendable {
    package var id: String
    /// `nil` for a child that does not run.
    package var pid: String?
    package var isSupervisor: Bool
    package var modules: String
    package var children: [SupervisionTree]
    /// How many children are not shown, because there are too many; `nil` if that is not known.
    package var hiddenCount: Int?

    static let depthLimit = 12
    static let countLimit = 1000

    /// Only what `proc_lib` says is a supervisor is asked for its children: a worker that is declared
    /// as one might end from the question. A supervisor is asked how many it has first: one with more
    /// than the limit is not asked to list them.
    static let script = RemoteScript(
        """
        fun(Text, Depth, Limit) ->
            process_flag(priority, low),
            Application = try list_to_existing_atom(Text) catch _:_ -> undefined end,
            Print = fun(Term) ->
                unicode:characters_to_binary(io_lib:format("~0tp", [Term], [{chars_limit, 200}]))
            end,
            Ask = fun(Pid, Question) ->
                try gen_server:call(Pid, Question, 1000) catch _:_ -> failed end
            end,
            IsSupervisor = fun(Pid) ->
                case process_info(Pid, [initial_call, memory]) of
                    [{_, {proc_lib, init_p, _}}, {_, Memory}] when Memory < 16777216 ->
                        case proc_lib:translate_initial_call(Pid) of
                            {supervisor, _, _} -> true;
                            {'Elixir.DynamicSupervisor', _, _} -> true;
                            _ -> false
                        end;
                    _ -> false
                end
            end,
            Children = fun Children(Pid, Level, Left) ->
                Counts = case Level < Depth andalso Left > 0 andalso IsSupervisor(Pid) of
                    true -> Ask(Pid, count_children);
                    false -> none
                end,
                case Counts of
                    [_ | _] ->
                        Total = proplists:get_value(workers, Counts, 0)
                            + proplists:get_value(supervisors, Counts, 0),
                        Found = case Total =< Limit of
                            true -> Ask(Pid, which_children);
                            false -> []
                        end,
                        Listed = case Found of failed -> []; _ -> Found end,
                        {Taken, Rest} = lists:foldl(
                            fun({Id, Child, Type, Modules}, {Taken, Rest}) when Rest > 0 ->
                                    {Below, Hidden, Next} = case is_pid(Child) andalso node(Child) =:= node() of
                                        true -> Children(Child, Level + 1, Rest - 1);
                                        false -> {[], 0, Rest - 1}
                                    end,
                                    Name = case is_pid(Child) of
                                        true -> pid_to_list(Child);
                                        false -> Print(Child)
                                    end,
                                    {[{Print(Id), Name, Type, Print(Modules), Below, Hidden} | Taken], Next};
                               (_, Sum) -> Sum
                            end,
                            {[], Left}, Listed),
                        {lists:reverse(Taken), max(0, Total - length(Taken)), Rest};
                    failed -> {[], -1, Left};
                    none -> {[], 0, Left}
                end
            end,
            case application_controller:get_master(Application) of
                undefined -> undefined;
                Master ->
                    case application_master:get_child(Master) of
                        {Top, Module} ->
                            {Below, Hidden, _} = Children(Top, 0, Limit),
                            {Print(Module), pid_to_list(Top), supervisor, Print([Module]), Below, Hidden}
                    end
            end
        end.
        """)

    package init(
        of application: String, on node: any RemoteNode
    ) async throws(NodeError) {
        guard application.utf8.count <= 255, application.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw .notFound("there is no such application")
        }
        let answer = try await Self.script.run(
            on: node,
            [.charlist(application), .integer(Self.depthLimit), .integer(Self.countLimit)])
        guard answer.value != .atom("undefined") else {
            throw .notFound("no application of this name has processes")
        }
        var left = Self.countLimit + 1
        guard let tree = SupervisionTree(answer.value, depth: 0, left: &left) else {
            throw .unexpectedAnswer
        }
        self = tree
    }

    /// - Parameter left: how many more there may be.
    init?(_ term: Term, depth: Int, left: inout Int) {
        left -= 1
        guard left >= 0, depth <= Self.depthLimit + 1, let parts = term.asTuple(of: 6),
            let id = parts[0].asText(upTo: 400), let pid = parts[1].asText(upTo: 200),
            let type = parts[2].asAtom, let modules = parts[3].asText(upTo: 400),
            let list = parts[4].asList, let hidden = parts[5].asInteger
        else { return nil }
        children = []
        for element in list {
            guard let child = SupervisionTree(element, depth: depth + 1, left: &left) else {
                return nil
            }
            children.append(child)
        }
        self.id = id
        self.pid = pid.hasPrefix("<") ? pid : nil
        self.modules = modules
        isSupervisor = type == "supervisor"
        hiddenCount = hidden < 0 ? nil : hidden
    }

    package var term: Term {
        var object = TermObject()
        object.add("id", id)
        object.add("pid", pid)
        object.add("type", isSupervisor ? "supervisor" : "worker")
        object.add("modules", modules)
        object.add("children", children.map(\.term))
        object.add("hidden", hiddenCount)
        return object.term
    }
}
