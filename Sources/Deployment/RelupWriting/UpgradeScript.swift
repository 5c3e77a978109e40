/// What a relup does between its instructions: `release_handler` has none for the children of a
/// supervisor.
///
/// A supervisor that is asked for its children again keeps the running ones, even those that it no
/// longer names, and starts no new one. The script starts the new ones, and ends the others before
/// their modules are removed. A child whose start calls another module than before is started anew.
/// Pages that people look at are rendered again: a view asks its module only when something comes
/// for it. The message for that also calls the module that compiles code on a developer's machine,
/// which is put aside first.
///
/// The node evaluates the script in its release handler, twice. What goes wrong in it ends nothing:
/// the children are looked at after the upgrade.
///
/// Source: `code_change/3`, supervisor, STDLIB; `file:eval/2`, Kernel.
enum UpgradeScript {
    /// In the folder of the new release.
    static let name = "relup.script"

    static let text = """
        %% Written by deployex. The relup beside it calls this before and after it has changed the
        %% supervisors' code.
        StartModule = fun({_, {M, _, _}, _, _, _, _}) -> M; (#{start := {M, _, _}}) -> M end,
        Identifier = fun(Spec) when is_map(Spec) -> maps:get(id, Spec); (Spec) -> element(1, Spec) end,
        Argument = fun(Pid, Module) ->
            State = tuple_to_list(sys:get_state(Pid)),
            hd(tl(lists:dropwhile(fun(Field) -> Field =/= Module end, State)))
        end,
        case Phase of
            views ->
                Put = fun(#{socket := #{private := #{phoenix_reloader := _} = Private} = Socket} = State) ->
                              State#{socket := Socket#{private := Private#{phoenix_reloader := {erlang, is_atom, []}}}};
                         (State) -> State
                      end,
                %% One view after the other, and nobody waits for it.
                spawn(fun() -> lists:foreach(
                  fun(Pid) ->
                      case proc_lib:initial_call(Pid) of
                          {'Elixir.Phoenix.LiveView.Channel', init, _} ->
                              case catch sys:replace_state(Pid, Put, 1000) of
                                  #{socket := #{private := #{phoenix_reloader := {erlang, is_atom, []}}}} ->
                                      Pid ! {phoenix_live_reload, <<"deployex">>, <<"upgrade">>};
                                  _ -> ok
                              end;
                          _ -> ok
                      end
                  end, processes()) end);
            before ->
                Found = [{Pid, Module} || {_, _, Pid, Modules} <- release_handler_1:get_supervised_procs(),
                                          is_list(Modules), Module <- Supervisors,
                                          lists:member(Module, Modules),
                                          supervisor:get_callback_module(Pid) =:= Module],
                put(deployex_children,
                    [{Pid, Module,
                      [case supervisor:get_childspec(Pid, Id) of
                           {ok, Spec} -> {Id, StartModule(Spec)};
                           _ -> {Id, undefined}
                       end || {Id, _, _, _} <- supervisor:which_children(Pid), Id =/= undefined],
                      %% Those that the module names, and nobody has added since.
                      case catch Module:init(Argument(Pid, Module)) of
                          {ok, {_, Specs}} -> [Identifier(Spec) || Spec <- Specs];
                          _ -> []
                      end}
                     || {Pid, Module} <- Found]);
            afterwards ->
                Children = case erase(deployex_children) of undefined -> []; Kept -> Kept end,
                lists:foreach(
                  fun({Pid, Module, Before, Named}) ->
                      case catch Module:init(Argument(Pid, Module)) of
                          {ok, {Flags, Specs}}
                            when is_tuple(Flags), element(1, Flags) =/= simple_one_for_one;
                                 is_map(Flags), map_get(strategy, Flags) =/= simple_one_for_one;
                                 is_map(Flags), not is_map_key(strategy, Flags) ->
                              After = [{Identifier(Spec), StartModule(Spec)} || Spec <- Specs],
                              Moved = [Id || {Id, Start} <- Before,
                                             {Other, Now} <- After,
                                             Id =:= Other, Start =/= undefined, Start =/= Now],
                              Gone = [Id || {Id, _} <- Before, lists:member(Id, Named),
                                            not lists:keymember(Id, 1, After)],
                              [catch supervisor:terminate_child(Pid, Id)
                               || {Id, _} <- Before, lists:member(Id, Moved ++ Gone)],
                              [catch supervisor:delete_child(Pid, Id) || Id <- Gone],
                              [catch supervisor:restart_child(Pid, Id)
                               || {Id, _} <- After,
                                  lists:member(Id, Moved) orelse not lists:keymember(Id, 1, Before)];
                          _ -> ok
                      end
                  end, Children)
        end.

        """
}
