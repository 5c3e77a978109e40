package import ExternalTermFormat

/// An Erlang function that is sent to a node as text and evaluated there, so that one call collects
/// what would need hundreds, and the node picks out what is wanted. Nothing is loaded or stays on
/// the node: its own `erl_eval`, which is part of `stdlib`, evaluates it in the process of the call.
///
/// The call is bounded on the node itself, too: its process may use 256 MiB and ``deadline``. Then it
/// is killed, without a report.
package struct RemoteScript: Sendable {
    /// `fun(A, B) -> … end.`
    package let text: String
    /// How long we wait, and how long it may run.
    package var deadline: Duration = .seconds(5)

    package init(_ text: String, deadline: Duration = .seconds(5)) {
        self.text = text
        self.deadline = deadline
    }

    /// What the script returned.
    package struct Answer: Equatable, Sendable {
        package var value: Term
        /// How long it took the node, reading the script included.
        package var microseconds: Int
    }

    package func run(
        on node: any RemoteNode, _ arguments: [Term] = []
    ) async throws(NodeError) -> Answer {
        let answer: Term
        do throws(RemoteCallError) {
            answer = try await node.call(
                "erl_eval", "exprs", [Self.forms, .list(bindings(arguments))], timeout: deadline,
                output: { _ in })
        } catch {
            throw .call(error)
        }
        // {value, {Value, Microseconds}, Bindings}
        guard let parts = answer.asTuple, parts.count == 3, parts[0] == .atom("value"),
            let pair = parts[1].asTuple, pair.count == 2, let cost = pair[1].asNatural
        else { throw .unexpectedAnswer }
        return Answer(value: pair[0], microseconds: cost)
    }

    /// In the order of their names, as `orddict` has them.
    private func bindings(_ arguments: [Term]) -> [Term] {
        let (seconds, attoseconds) = deadline.components
        return [
            .tuple([.atom("Arguments"), .list(arguments)]),
            .tuple([
                .atom("Milliseconds"), Term(seconds * 1000 + attoseconds / 1_000_000_000_000_000),
            ]),
            .tuple([.atom("Text"), .charlist(text)]),
            .tuple([.atom("Words"), .integer(Self.wordLimit)]),
        ]
    }

    /// The largest heap that the call's process may have.
    private static let wordLimit = 32 << 20

    /// Functions that scripts name things by, as people know them: `Shop.Cart` and
    /// `Shop.Cart.init/1` for Elixir's modules, `lists:map/2` for the others. Their texts are cut.
    static let naming = """
        Print = fun(Term) ->
            unicode:characters_to_binary(io_lib:format("~0tp", [Term], [{chars_limit, 200}]))
        end,
        Name = fun Again(Atom) when is_atom(Atom) ->
                case atom_to_list(Atom) of
                    "Elixir." ++ Alias -> unicode:characters_to_binary(Alias);
                    _ -> Print(Atom)
                end;
           Again([Atom]) when is_atom(Atom) -> Again(Atom);
           Again(Term) -> Print(Term)
        end,
        Call = fun({Module, Function, Arity})
                when is_atom(Module), is_atom(Function), is_integer(Arity) ->
                Separator = case atom_to_list(Module) of "Elixir." ++ _ -> "."; _ -> ":" end,
                unicode:characters_to_binary(
                    [Name(Module), Separator, Print(Function), "/", integer_to_list(Arity)]);
           (Term) -> Print(Term)
        end,
        """

    /// What is evaluated around each script.
    static let source = """
        Begin = erlang:monotonic_time(microsecond),
        Self = self(),
        erlang:process_flag(max_heap_size, #{size => Words, kill => true, error_logger => false}),
        spawn(fun() -> Monitor = monitor(process, Self), receive {'DOWN', Monitor, _, _, _} -> ok after Milliseconds -> exit(Self, kill) end end),
        {ok, Tokens, _} = erl_scan:string(Text),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {value, Script, _} = erl_eval:exprs(Expressions, []),
        Value = erlang:apply(Script, Arguments),
        {Value, erlang:monotonic_time(microsecond) - Begin}.
        """

    /// ``source`` as `erl_parse:parse_exprs/1` returns it, with 0 for each line number.
    static let forms: Term = {
        do throws(TextError) {
            return try Term(text: formsText)
        } catch {
            preconditionFailure("The forms are a term: \(error)")
        }
    }()

    private static let formsText = """
        [{match,0,{var,0,'Begin'},{call,0,{remote,0,{atom,0,erlang},{atom,0,monotonic_time}},
        [{atom,0,microsecond}]}},{match,0,{var,0,'Self'},{call,0,{atom,0,self},[]}},{call,0,
        {remote,0,{atom,0,erlang},{atom,0,process_flag}},[{atom,0,max_heap_size},{map,0,
        [{map_field_assoc,0,{atom,0,size},{var,0,'Words'}},{map_field_assoc,0,{atom,0,kill},{atom,
        0,true}},{map_field_assoc,0,{atom,0,error_logger},{atom,0,false}}]}]},{call,0,{atom,0,
        spawn},[{'fun',0,{clauses,[{clause,0,[],[],[{match,0,{var,0,'Monitor'},{call,0,{atom,0,
        monitor},[{atom,0,process},{var,0,'Self'}]}},{'receive',0,[{clause,0,[{tuple,0,[{atom,0,
        'DOWN'},{var,0,'Monitor'},{var,0,'_'},{var,0,'_'},{var,0,'_'}]}],[],[{atom,0,ok}]}],{var,
        0,'Milliseconds'},[{call,0,{atom,0,exit},[{var,0,'Self'},{atom,0,kill}]}]}]}]}}]},{match,
        0,{tuple,0,[{atom,0,ok},{var,0,'Tokens'},{var,0,'_'}]},{call,0,{remote,0,{atom,0,
        erl_scan},{atom,0,string}},[{var,0,'Text'}]}},{match,0,{tuple,0,[{atom,0,ok},{var,0,
        'Expressions'}]},{call,0,{remote,0,{atom,0,erl_parse},{atom,0,parse_exprs}},[{var,0,
        'Tokens'}]}},{match,0,{tuple,0,[{atom,0,value},{var,0,'Script'},{var,0,'_'}]},{call,0,
        {remote,0,{atom,0,erl_eval},{atom,0,exprs}},[{var,0,'Expressions'},{nil,0}]}},{match,0,
        {var,0,'Value'},{call,0,{remote,0,{atom,0,erlang},{atom,0,apply}},[{var,0,'Script'},{var,
        0,'Arguments'}]}},{tuple,0,[{var,0,'Value'},{op,0,'-',{call,0,{remote,0,{atom,0,erlang},
        {atom,0,monotonic_time}},[{atom,0,microsecond}]},{var,0,'Begin'}}]}]
        """
}

/// Why a node does not tell what it is asked.
package enum NodeError: Error, Equatable, Sendable {
    /// It is not connected.
    case notConnected
    /// It has not answered, or with an exception.
    case call(RemoteCallError)
    /// Its answer is none that the question can have.
    case unexpectedAnswer
    /// What is asked for is not there.
    case notFound(String)
    /// It is being asked already.
    case busy
}

extension NodeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notConnected: "the instance's node is not connected"
        case .call(.timedOut): "the node has not answered in time"
        case .call(let error): "asking the node: \(error)"
        case .unexpectedAnswer: "the node's answer cannot be understood"
        case .notFound(let text): text
        case .busy: "the node is being asked already: try again"
        }
    }
}

extension Term {
    /// An integer that is not negative.
    var asNatural: Int? { asInteger.flatMap { $0 >= 0 ? $0 : nil } }

    /// The elements of a tuple of this size.
    func asTuple(of count: Int) -> [Term]? { asTuple.flatMap { $0.count == count ? $0 : nil } }

    /// Text of a binary or a list of characters, cut after `limit` bytes.
    func asText(upTo limit: Int) -> String? {
        guard let text = asText else {
            return asBinary.map { String(decoding: $0.prefix(limit), as: UTF8.self) }
        }
        return text.utf8.count <= limit
            ? text : String(decoding: text.utf8.prefix(limit), as: UTF8.self)
    }
}
