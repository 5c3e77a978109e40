package import ExternalTermFormat

/// The largest ETS tables of a node.
package struct TableList: Equatable, Sendable {
    package var term: Term

    static let limit = 200

    static let script = RemoteScript(
        """
        fun(Count) ->
            process_flag(priority, low),
            Tables = ets:all(),
            Sizes = lists:zipwith(fun ets:info/2, Tables, lists:duplicate(length(Tables), memory)),
            Sorted = lists:reverse(lists:sort(lists:zip(Sizes, Tables))),
            Print = fun(Term) ->
                unicode:characters_to_binary(io_lib:format("~0tp", [Term], [{chars_limit, 200}]))
            end,
            Owner = fun(Pid) ->
                case process_info(Pid, registered_name) of
                    {registered_name, Name} -> Name;
                    _ -> []
                end
            end,
            Of = fun({_, Table}) ->
                case ets:info(Table) of
                    undefined -> [];
                    Info ->
                        Get = fun(Key) -> proplists:get_value(Key, Info) end,
                        Pid = Get(owner),
                        [{Print(Get(name)), Print(Table), pid_to_list(Pid), Print(Owner(Pid)), Get(type),
                          Get(size), Get(memory) * erlang:system_info(wordsize), Get(protection)}]
                end
            end,
            {length(Tables), lists:flatmap(Of, lists:sublist(Sorted, Count))}
        end.
        """, deadline: .seconds(10))

    package init(of node: any RemoteNode) async throws(NodeError) {
        guard
            let list = TableList(
                try await Self.script.run(on: node, [.integer(Self.limit)]))
        else { throw .unexpectedAnswer }
        self = list
    }

    init?(_ answer: RemoteScript.Answer) {
        guard let parts = answer.value.asTuple(of: 2), let count = parts[0].asNatural,
            let list = parts[1].asList, list.count <= Self.limit
        else { return nil }
        var tables: [Term] = []
        for element in list {
            guard let parts = element.asTuple(of: 8), let name = parts[0].asText(upTo: 400),
                let id = parts[1].asText(upTo: 400), let owner = parts[2].asText(upTo: 64),
                let ownerName = parts[3].asText(upTo: 400), let type = parts[4].asAtom,
                let size = parts[5].asNatural, let memory = parts[6].asNatural,
                let protection = parts[7].asAtom
            else { return nil }
            var table = TermObject()
            table.add("name", name)
            table.add("id", id)
            table.add("owner", owner)
            table.add("owner_name", ownerName == "[]" ? nil : ownerName)
            table.add("type", type.name)
            table.add("size", size)
            table.add("memory_bytes", memory)
            table.add("protection", protection.name)
            tables.append(table.term)
        }
        var object = TermObject()
        object.add("tables", tables)
        object.add("count", count)
        object.add("cost_microseconds", answer.microseconds)
        term = object.term
    }
}

/// The applications that a node has loaded.
package struct ApplicationList: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var name: String
        package var version: String
        package var description: String
        package var isStarted: Bool
    }

    package var entries: [Entry]

    static let limit = 500

    static let script = RemoteScript(
        """
        fun(Limit) ->
            Print = fun(Text) ->
                unicode:characters_to_binary(io_lib:format("~ts", [Text], [{chars_limit, 200}]))
            end,
            Started = application:which_applications(),
            Loaded = application:loaded_applications(),
            {length(Loaded),
             [{Print(atom_to_list(Name)), Print(Version), Print(Description),
               lists:keymember(Name, 1, Started)}
              || {Name, Description, Version} <- lists:sublist(lists:sort(Loaded), Limit)]}
        end.
        """)

    package init(of node: any RemoteNode) async throws(NodeError) {
        guard
            let list = ApplicationList(
                try await Self.script.run(on: node, [.integer(Self.limit)]))
        else { throw .unexpectedAnswer }
        self = list
    }

    init?(_ answer: RemoteScript.Answer) {
        guard let parts = answer.value.asTuple(of: 2), let list = parts[1].asList,
            list.count <= Self.limit
        else { return nil }
        entries = []
        for element in list {
            guard let parts = element.asTuple(of: 4), let name = parts[0].asText(upTo: 255),
                let version = parts[1].asText(upTo: 400),
                let description = parts[2].asText(upTo: 400), let isStarted = parts[3].asBool
            else { return nil }
            entries.append(
                Entry(
                    name: name, version: version, description: description, isStarted: isStarted))
        }
    }

    /// The version of an application that is loaded.
    package func version(of name: String) -> String? { entries.first { $0.name == name }?.version }

    package var term: Term { entries.map(\.term).term }
}

extension ApplicationList.Entry {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("name", name)
        object.add("version", version)
        object.add("description", description)
        object.add("started", isStarted)
        return object.term
    }
}
