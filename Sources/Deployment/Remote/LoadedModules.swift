internal import ExternalTermFormat

/// A module that a node has loaded, as the node itself says.
package struct LoadedModule: Equatable, Sendable {
    package var name: String
    /// The digest of its code; `nil` if it has no current code.
    package var digest: [UInt8]?
    /// Where the node has loaded it from: a path, `preloaded`, `cover_compiled`, or nothing.
    package var place: String
    /// Whether processes may still run older code of it.
    package var hasOldCode: Bool

    package init(name: String, digest: [UInt8]?, place: String, hasOldCode: Bool = false) {
        self.name = name
        self.digest = digest
        self.place = place
        self.hasOldCode = hasOldCode
    }

    /// How many modules one question is about.
    static let batchCount = 500
    static let maximumCount = 100_000
    private static let maximumPlaceByteCount = 1024

    /// The modules whose names follow that of the last batch. `erlang:loaded/0` also has those that
    /// the code server knows nothing of.
    static let script = RemoteScript(
        """
        fun(After, Count) ->
            process_flag(priority, low),
            Places = maps:from_list(code:all_loaded()),
            Rest = case After of
                [] -> lists:sort(erlang:loaded());
                _ -> lists:dropwhile(fun(M) -> atom_to_binary(M, utf8) =< After end,
                                     lists:sort(erlang:loaded()))
            end,
            Place = fun(Atom) when is_atom(Atom) -> atom_to_binary(Atom, utf8);
               ([]) -> <<>>;
               (Path) when is_list(Path) ->
                    case catch unicode:characters_to_binary(Path) of
                        Text when is_binary(Text) -> Text;
                        _ -> <<>>
                    end;
               (_) -> <<>>
            end,
            [{atom_to_binary(M, utf8),
              case catch erlang:get_module_info(M, md5) of
                  Digest when is_binary(Digest) -> Digest;
                  _ -> none
              end,
              Place(maps:get(M, Places, [])), erlang:check_old_code(M)}
             || M <- lists:sublist(Rest, Count)]
        end.
        """, deadline: .seconds(20))

    /// All that a node has loaded. It asks in batches.
    package static func all(of node: any RemoteNode) async throws(NodeError) -> [LoadedModule] {
        var modules: [LoadedModule] = []
        var after = Term.list([])
        while modules.count < maximumCount {
            let answer = try await script.run(on: node, [after, .integer(batchCount)])
            guard let batch = read(answer.value) else { throw .unexpectedAnswer }
            modules += batch
            guard batch.count == batchCount, let last = batch.last else { return modules }
            after = .binary(last.name)
        }
        throw .unexpectedAnswer
    }

    static func read(_ term: Term) -> [LoadedModule]? {
        guard let list = term.asList, list.count <= batchCount else { return nil }
        var modules: [LoadedModule] = []
        for element in list {
            guard let parts = element.asTuple(of: 4), let name = parts[0].asText(upTo: 1024),
                let place = parts[2].asText(upTo: maximumPlaceByteCount),
                let hasOldCode = parts[3].asBool
            else { return nil }
            modules.append(
                LoadedModule(
                    name: name, digest: parts[1].asBinary.map { Array($0) }, place: place,
                    hasOldCode: hasOldCode))
        }
        return modules
    }
}
