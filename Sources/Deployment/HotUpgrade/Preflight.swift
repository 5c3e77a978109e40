internal import ErlDist
internal import ExternalTermFormat

/// Asks a node, without changing it, whether an upgrade in place can go through.
///
/// `release_handler` finds out the same things only when it is past its point of no return, from
/// where a failure makes the node restart itself.
///
/// Source: `release_handler_1`, SASL: `suspend`, `load` and `stop` walk through the whole tree of
/// supervisors, and `load` kills a process that still runs the code before last.
struct Preflight {
    var node: any RemoteNode

    /// What the node says.
    struct Findings: Equatable, Sendable {
        /// Why the upgrade is not begun; `nil` if nothing speaks against it.
        var refusal: String?
        /// How many processes its supervisors have, and how many of them wait while code is
        /// exchanged.
        var supervised: Int?
        var suspended: Int?
        /// The modules whose old code some process still runs.
        var lingering: [String] = []
    }

    /// `{Processes, Suspended, Lingering}`. Old code that no process runs is purged, as
    /// `release_handler` does every ten seconds.
    private static let walk = RemoteScript(
        """
        fun(Loaded, Suspended) ->
            Atoms = fun(Names) ->
                [Atom || Name <- Names,
                         Atom <- try [binary_to_existing_atom(Name, utf8)] catch _:_ -> [] end]
            end,
            Waiting = maps:from_keys(Atoms(Suspended), true),
            Processes = release_handler_1:get_supervised_procs(),
            {length(Processes),
             length([Pid || {_, _, Pid, Modules} <- Processes, is_list(Modules),
                            lists:any(fun(M) -> is_map_key(M, Waiting) end, Modules)]),
             [Module || Module <- Atoms(Loaded),
                        erlang:check_old_code(Module), not code:soft_purge(Module)]}
        end.
        """, deadline: .seconds(20))

    /// `{Hidden, Left}`: the modules whose processes are to stand still and are found by no
    /// supervisor's child, and those that are to be removed while processes still run them.
    ///
    /// A process names the module that it is of by its initial call. The children of a supervisor
    /// that changes are ended before their modules are removed, if it no longer names them.
    private static let processes = RemoteScript(
        """
        fun(Suspended, Removed) ->
            Known = fun(Names) ->
                [M || N <- Names, M <- try [binary_to_existing_atom(N, utf8)] catch _:_ -> [] end]
            end,
            {Stopped, Gone} = {Known(Suspended), Known(Removed)},
            Procs = release_handler_1:get_supervised_procs(),
            Modules = maps:from_list([{Pid, Ms} || {_, _, Pid, Ms} <- Procs, is_list(Ms)]),
            Names = fun(Pid, M) -> lists:member(M, maps:get(Pid, Modules, [])) end,
            Ended = maps:from_list([{Pid, true} || {Supervisor, Id, Pid, _} <- Procs, is_pid(Supervisor),
                                    Id =/= undefined,
                                    lists:any(fun(M) -> Names(Supervisor, M) end, Stopped)]),
            Of = fun(Pid) ->
                case process_info(Pid, dictionary) of
                    {dictionary, Dictionary} ->
                        case lists:keyfind('$initial_call', 1, Dictionary) of
                            {_, {supervisor, M, 1}} -> M;
                            {_, {M, _, _}} -> M;
                            _ -> undefined
                        end;
                    _ -> undefined
                end
            end,
            Found = case Stopped ++ Gone of [] -> []; _ -> [{Pid, Of(Pid)} || Pid <- processes()] end,
            {lists:usort([M || {Pid, M} <- Found, lists:member(M, Stopped), not Names(Pid, M)]),
             lists:usort([M || {Pid, M} <- Found, lists:member(M, Gone), not maps:is_key(Pid, Ended)])}
        end.
        """, deadline: .seconds(20))

    /// Why a relup that deployex has written is not carried out.
    private func refusal(_ relup: WrittenRelup) async throws(NodeError) -> String? {
        let answer = try await Self.processes.run(
            on: node,
            [.list(relup.suspended.map { .binary($0) }), .list(relup.removed.map { .binary($0) })])
        guard let parts = answer.value.asTuple(of: 2), let hidden = parts[0].asList,
            let left = parts[1].asList
        else { throw .unexpectedAnswer }
        guard hidden.isEmpty else {
            return "processes have a state that would have to change, and no supervisor names "
                + "their module: " + listed(hidden.compactMap { $0.asAtom?.name })
        }
        guard left.isEmpty else {
            return "modules are gone in the new release, and processes run them: "
                + listed(left.compactMap { $0.asAtom?.name })
        }
        return nil
    }

    func findings(_ preparation: HotUpgrade.Preparation) async -> Findings {
        var findings = Findings()
        do throws(NodeError) {
            let changed = try await LoadedModule.all(of: node).filter { module in
                module.digest.map { preparation.codeBefore.contradicts(module.name, $0) } ?? false
            }
            if !changed.isEmpty {
                findings.refusal =
                    "the node runs other code than its release has: "
                    + listed(changed.map(\.name).sorted())
                return findings
            }
        } catch {
            findings.refusal =
                "whether the node runs the code of its release is not known: \(error)"
            return findings
        }
        do throws(NodeError) {
            let names = [preparation.loadedModules, preparation.suspendedModules]
            let answer = try await Self.walk.run(
                on: node, names.map { .list($0.map { .binary($0) }) })
            guard let parts = answer.value.asTuple(of: 3), let count = parts[0].asNatural,
                let suspended = parts[1].asNatural, let lingering = parts[2].asList
            else { throw .unexpectedAnswer }
            (findings.supervised, findings.suspended) = (count, suspended)
            findings.lingering = lingering.compactMap { $0.asAtom?.name }.sorted()
            if !findings.lingering.isEmpty {
                findings.refusal =
                    "processes still run the code before last, which an upgrade would kill: "
                    + listed(findings.lingering)
            }
            if findings.refusal == nil, let written = preparation.written {
                findings.refusal = try await refusal(written)
            }
        } catch {
            findings.refusal =
                "the tree of supervisors cannot be walked, which an upgrade has to do: \(error)"
        }
        return findings
    }

    /// The modules that run other code than the new release has, after the upgrade.
    static func modified(
        on node: any RemoteNode, _ preparation: HotUpgrade.Preparation
    ) async throws(NodeError) -> [String] {
        try await LoadedModule.all(of: node).filter { module in
            module.digest.map { preparation.codeAfter.contradicts(module.name, $0) } ?? false
        }.map(\.name).sorted()
    }

    /// `[{Application, Key}]`: which settings are not as they should be.
    private static let difference = RemoteScript(
        """
        fun(Configuration) ->
            [{Application, Key} || {Application, Settings} <- Configuration, {Key, Value} <- Settings,
                                   application:get_env(Application, Key) =/= {ok, Value}]
        end.
        """)

    /// The settings that are not as the new release's configuration has them, each as
    /// `application.key`.
    static func differingSettings(
        on node: any RemoteNode, _ preparation: HotUpgrade.Preparation
    ) async throws(NodeError) -> [String] {
        let answer = try await difference.run(
            on: node, [preparation.configuration.applications])
        guard let list = answer.value.asList else { throw .unexpectedAnswer }
        return list.compactMap { element in
            guard let pair = element.asTuple(of: 2), let application = pair[0].asAtom,
                let key = pair[1].asAtom
            else { return nil }
            return "\(application.name).\(key.name)"
        }.sorted()
    }
}
