import Foundation

@testable import Deployment

/// Pairs of small releases, each with the one way in which its upgrade must end.
enum Corpus {
    static let pairs: [CorpusPair] =
        processes + failures + modules + protocols + trees
        + applications + views + refusals

    private static let get = "gen_server:call(demo_server, get)"

    /// What changes the state of processes.
    private static let processes: [CorpusPair] = [
        CorpusPair(
            "the state changes its shape, there and back", [:],
            [
                "demo_server": CorpusSource.server(
                    state: "{new, 1}",
                    change:
                        "case Version of {down, _} -> {new, N} = State, {ok, N}; _ -> {ok, {new, State}} end"
                )
            ], .hot(expression: get, old: "5", new: "{new,5}", back: "5")),
        CorpusPair(
            "a server without code_change",
            ["demo_server": CorpusSource.server(change: nil)],
            ["demo_server": CorpusSource.server(reply: "{answer, State}", change: nil)],
            .hot(expression: get, old: "5", new: "{answer,5}", back: "5")),
        CorpusPair(
            "a server that gets a code_change",
            ["demo_server": CorpusSource.server(change: nil)],
            ["demo_server": CorpusSource.server(change: "{ok, State + 1}")],
            // On the way back the newer code is asked, too.
            .hot(expression: get, old: "5", new: "6", back: "7")),
    ]

    private static func machine(_ reply: String, _ change: String) -> String {
        """
        -module(demo_server). -behaviour(gen_statem).
        -export([start_link/0, init/1, callback_mode/0, idle/3, code_change/4]).
        start_link() -> gen_statem:start_link({local, demo_server}, demo_server, [], []).
        callback_mode() -> state_functions.
        init([]) -> {ok, idle, 1}.
        idle({call, From}, set, _) -> {keep_state, 5, [{reply, From, ok}]};
        idle({call, From}, get, Data) -> {keep_state_and_data, [{reply, From, \(reply)}]}.
        code_change(Version, State, Data, _) -> _ = Version, \(change).
        """
    }

    /// Servers that a supervisor starts one by one, each with its number.
    private static func crowd(_ reply: String) -> [String: String] {
        [
            "demo_crowd": """
            -module(demo_crowd). -behaviour(gen_server).
            -export([start_link/1, init/1, handle_call/3, handle_cast/2, code_change/3]).
            start_link(N) -> gen_server:start_link(demo_crowd, N, []).
            init(N) -> {ok, N}.
            handle_call(get, _, N) -> {reply, \(reply), N}.
            handle_cast(_, N) -> {noreply, N}.
            code_change(_, N, _) -> {ok, N}.
            """,
            "demo_pool": """
            -module(demo_pool). -behaviour(supervisor). -export([start_link/0, init/1]).
            start_link() -> supervisor:start_link({local, demo_pool}, demo_pool, []).
            init([]) -> {ok, {#{strategy => simple_one_for_one},
                [#{id => crowd, start => {demo_crowd, start_link, []}, restart => temporary}]}}.
            """,
            "demo_sup": CorpusSource.supervisor([
                ("server", "demo_server"), ("pool", "demo_pool"),
            ]),
        ]
    }

    private static let sum = """
        lists:usort([gen_server:call(P, get, 60000) || {_, P, _, _} <- supervisor:which_children(demo_pool)])
        """

    /// What fails on the node, and leaves the old version whole.
    private static let failures: [CorpusPair] = [
        CorpusPair(
            "a state machine", ["demo_server": machine("Data", "{ok, State, Data}")],
            ["demo_server": machine("{new, Data}", "{ok, State, Data}")],
            .hot(expression: get, old: "5", new: "{new,5}", back: "5")),
        CorpusPair(
            "a huge state", [:],
            ["demo_server": CorpusSource.server(reply: "length(State)")],
            .hot(
                expression:
                    "length([X || X <- [sys:get_state(demo_server)], length(X) =:= 2000000])",
                old: "1", new: "1", back: "1"),
            before: "sys:replace_state(demo_server, fun(_) -> lists:seq(1, 2000000) end)"),
        CorpusPair(
            "20,000 processes of one module", crowd("old"), crowd("new"),
            .hot(expression: sum, old: "[old]", new: "[new]", back: "[old]"),
            before: "[{ok, _} = supervisor:start_child(demo_pool, [N]) || N <- lists:seq(1, 20000)]"
        ),
        CorpusPair(
            "a code_change that fails", [:],
            ["demo_server": CorpusSource.server(change: "exit(State)")], .restarted),
        CorpusPair(
            "a code_change that hangs", [:],
            [
                "demo_server": CorpusSource.server(
                    change: "receive never -> {ok, State} end")
            ], .restarted),
        CorpusPair(
            "a process that lingers in old code, for the second time",
            [
                "demo_text": CorpusSource.module(
                    "demo_text", "loop/0", "loop() -> receive a -> loop() end.")
            ],
            [
                "demo_text": CorpusSource.module(
                    "demo_text", "loop/0", "loop() -> receive b -> loop() end.")
            ],
            .notBegun(reason: "{old_processes,demo_text}"),
            before: "spawn(demo_text, loop, []), timer:sleep(100), code:load_file(demo_text)"),
    ]

    /// A protocol of Elixir is a module that knows who implements it; as mix consolidates it, in a
    /// folder of the release.
    private static func dispatch(_ clauses: String) -> String {
        CorpusSource.module("proto", "value/1", "value(X) -> \(clauses).")
    }

    private static let protocols: [CorpusPair] = [
        CorpusPair(
            "a new implementation of a protocol", ["proto": dispatch("{slow, X}")],
            [
                "proto": dispatch("{slow, X}"),
                "impl": CorpusSource.module("impl", "value/1", "value(X) -> {impl, X}."),
            ],
            .hot(
                expression: "proto:value(1)", old: "{none,1}", new: "{impl,1}", back: "{none,1}"),
            protocols: (
                ["proto": dispatch("{none, X}")], ["proto": dispatch("impl:value(X)")]
            )),
        CorpusPair(
            "a new protocol", ["other": CorpusSource.module("other", "a/0", "a() -> b.")],
            [
                "proto": dispatch("{slow, X}"),
                "other": CorpusSource.module("other", "a/0", "a() -> b."),
            ],
            .hot(
                expression: "erlang:module_loaded(proto) andalso proto:value(1)", old: "false",
                new: "{fast,1}", back: "false"),
            protocols: (
                ["other": CorpusSource.module("other", "a/0", "a() -> a.")],
                [
                    "other": CorpusSource.module("other", "a/0", "a() -> a."),
                    "proto": dispatch("{fast, X}"),
                ]
            )),
    ]

    private static let modules: [CorpusPair] = [
        CorpusPair(
            "a changed module without processes",
            ["demo_text": CorpusSource.module("demo_text", "text/0", "text() -> old.")],
            ["demo_text": CorpusSource.module("demo_text", "text/0", "text() -> new.")],
            .hot(expression: "demo_text:text()", old: "old", new: "new", back: "old")),
        CorpusPair(
            "an added module that the server calls", [:],
            [
                "demo_server": CorpusSource.server(reply: "demo_more:value(State)"),
                "demo_more": CorpusSource.module("demo_more", "value/1", "value(N) -> {more, N}."),
            ], .hot(expression: get, old: "5", new: "{more,5}", back: "5")),
        CorpusPair(
            "a removed module",
            [
                "demo_server": CorpusSource.server(reply: "demo_more:value(State)"),
                "demo_more": CorpusSource.module("demo_more", "value/1", "value(N) -> {more, N}."),
            ], [:], .hot(expression: get, old: "{more,5}", new: "5", back: "{more,5}")),
        CorpusPair(
            "a renamed module",
            [
                "demo_server": CorpusSource.server(reply: "demo_old:value(State)"),
                "demo_old": CorpusSource.module("demo_old", "value/1", "value(N) -> {old, N}."),
            ],
            [
                "demo_server": CorpusSource.server(reply: "demo_new:value(State)"),
                "demo_new": CorpusSource.module("demo_new", "value/1", "value(N) -> {new, N}."),
            ], .hot(expression: get, old: "{old,5}", new: "{new,5}", back: "{old,5}")),
        CorpusPair(
            "modules that call each other in a circle",
            [
                "demo_a": CorpusSource.module(
                    "demo_a", "f/1", "f(0) -> old; f(N) -> demo_b:f(N - 1)."),
                "demo_b": CorpusSource.module(
                    "demo_b", "f/1", "f(0) -> old; f(N) -> demo_a:f(N - 1)."),
            ],
            [
                "demo_a": CorpusSource.module(
                    "demo_a", "f/1", "f(0) -> new; f(N) -> demo_b:f(N - 1)."),
                "demo_b": CorpusSource.module(
                    "demo_b", "f/1", "f(0) -> new; f(N) -> demo_a:f(N - 1)."),
            ],
            .hot(
                expression: "[demo_a:f(2), demo_a:f(3)]", old: "[old,old]", new: "[new,new]",
                back: "[old,old]")),
        CorpusPair(
            "another version of the same code", [:], [:],
            .hot(expression: get, old: "5", new: "5", back: "5")),
        CorpusPair(
            "the same version of the same code", [:], [:],
            .hot(expression: get, old: "5", new: "5", back: "5"), newVersion: "1"),
    ]

    private static let other = CorpusSource.server("demo_other")
    private static let children =
        "{lists:sort([{I, is_pid(P)} || {I, P, _, _} <- supervisor:which_children(demo_sup)]), whereis(demo_other) =/= undefined}"

    private static let trees: [CorpusPair] = [
        CorpusPair(
            "a child that was added at run time stays", ["demo_other": other],
            [
                "demo_sup": CorpusSource.supervisor([
                    ("server", "demo_server"), ("extra", "demo_extra"),
                ]),
                "demo_other": other, "demo_extra": CorpusSource.server("demo_extra"),
            ],
            .hot(
                expression: """
                    {lists:sort([I || {I, _, _, _} <- supervisor:which_children(demo_sup)]), \
                    whereis(demo_other) =:= persistent_term:get(added)}
                    """, old: "{[added,server],true}", new: "{[added,extra,server],true}",
                back: "{[added,server],true}"),
            before: """
                {ok, P} = supervisor:start_child(demo_sup, #{id => added, start => {demo_other, start_link, []}}), \
                persistent_term:put(added, P)
                """),
        CorpusPair(
            "a supervisor's new child", [:],
            [
                "demo_sup": CorpusSource.supervisor([
                    ("server", "demo_server"), ("other", "demo_other"),
                ]),
                "demo_other": other,
            ],
            .hot(
                expression: children, old: "{[{server,true}],false}",
                new: "{[{other,true},{server,true}],true}", back: "{[{server,true}],false}")),
        CorpusPair(
            "a supervisor's child that is gone, with its module",
            [
                "demo_sup": CorpusSource.supervisor([
                    ("server", "demo_server"), ("other", "demo_other"),
                ]),
                "demo_other": other,
            ], [:],
            .hot(
                expression: children, old: "{[{other,true},{server,true}],true}",
                new: "{[{server,true}],false}", back: "{[{other,true},{server,true}],true}")),
        CorpusPair(
            "a child of the same name and another module",
            [
                "demo_sup": CorpusSource.supervisor([
                    ("server", "demo_server"), ("worker", "demo_other"),
                ]),
                "demo_other": other,
            ],
            [
                "demo_sup": CorpusSource.supervisor([
                    ("server", "demo_server"), ("worker", "demo_third"),
                ]),
                "demo_third": CorpusSource.server("demo_third"),
            ],
            .hot(
                expression: children, old: "{[{server,true},{worker,true}],true}",
                new: "{[{server,true},{worker,true}],false}",
                back: "{[{server,true},{worker,true}],true}")),
    ]

    private static func demo(
        _ version: String, _ modules: [String: String] = [:], needs: [String] = [],
        more: String = "", files: [String: String] = [:], options: String = "",
        start: String? = "demo_app"
    ) -> CorpusPair.Application {
        let base = [
            "demo_app": CorpusSource.application, "demo_sup": CorpusSource.supervisor(),
            "demo_server": CorpusSource.server(),
        ]
        return CorpusPair.Application(
            version: version, modules: base.merging(modules) { $1 }, start: start, needs: needs,
            more: more, files: files, options: options)
    }

    private static func library(_ version: String, _ value: String) -> CorpusPair.Application {
        CorpusPair.Application(
            name: "lib", version: version,
            modules: ["lib": CorpusSource.module("lib", "value/0", "value() -> \(value).")],
            start: nil)
    }

    /// An application with a process of its own.
    private static let service = CorpusPair.Application(
        name: "service", version: "1",
        modules: [
            "service": """
            -module(service). -behaviour(application). -behaviour(supervisor).
            -export([start/2, stop/1, init/1]).
            start(_, _) -> supervisor:start_link({local, service}, service, []).
            stop(_) -> ok.
            init([]) -> {ok, {#{}, []}}.
            """
        ], start: "service")

    private static let applications: [CorpusPair] = [
        CorpusPair(
            name: "a dependency with a new version",
            old: [library("1", "old"), demo("1", needs: ["lib"])],
            new: [library("1.1", "new"), demo("2", needs: ["lib"])],
            end: .hot(expression: "lib:value()", old: "old", new: "new", back: "old")),
        CorpusPair(
            name: "a new key of the environment", old: [demo("1")],
            new: [demo("2", more: ", {env, [{a, 1}]}")],
            end: .hot(
                expression: "application:get_env(demo, a)", old: "undefined", new: "{ok,1}",
                back: "undefined")),
        CorpusPair(
            name: "a new library", old: [demo("1")],
            new: [
                library("1", "new"),
                demo(
                    "2", ["demo_server": CorpusSource.server(reply: "{State, lib:value()}")],
                    needs: ["lib"]),
            ],
            end: .hot(expression: get, old: "5", new: "{5,new}", back: "5")),
        CorpusPair(
            name: "a new application with processes, which goes again", old: [demo("1")],
            new: [service, demo("2", needs: ["service"])],
            end: .hot(
                expression: "whereis(service) =/= undefined", old: "false", new: "true",
                back: "false")),
        CorpusPair(
            name: "an umbrella of which one application changes",
            old: [library("0.1.0", "old"), service, demo("1", needs: ["lib", "service"])],
            new: [library("0.2.0", "new"), service, demo("1", needs: ["lib", "service"])],
            end: .hot(
                expression: "{lib:value(), whereis(service) =/= undefined}", old: "{old,true}",
                new: "{new,true}", back: "{old,true}")),
    ]

    /// LiveView in its shape: a process of the library, which calls the page's module.
    private static let liveView = CorpusPair.Application(
        name: "phoenix_live_view", version: "1.0.6",
        modules: [
            "Elixir.Phoenix.LiveView.Channel": """
            -module('Elixir.Phoenix.LiveView.Channel'). -behaviour(gen_server).
            -export([start_link/0, init/1, handle_call/3, handle_cast/2, handle_info/2, code_change/3]).
            start_link() -> gen_server:start_link({local, view}, 'Elixir.Phoenix.LiveView.Channel', [], []).
            init([]) -> {ok, #{rendered => first, socket => #{private => #{phoenix_reloader => {erlang, exit, []}}, count => 1}}}.
            handle_call(get, _, #{rendered := R} = S) -> {reply, R, S}.
            handle_cast(_, S) -> {noreply, S}.
            handle_info({phoenix_live_reload, _, _}, #{socket := #{private := #{phoenix_reloader := {M, F, A}}} = Socket} = S) ->
                apply(M, F, [endpoint | A]), {noreply, S#{rendered := demo_view:render(Socket)}}.
            code_change(V, #{socket := Socket} = S, E) ->
                {ok, New} = demo_view:code_change(V, Socket, E), {ok, S#{socket := New}}.
            """
        ], start: nil)

    private static func view(_ text: String, _ count: String) -> String {
        """
        -module(demo_view). -behaviour('Elixir.Phoenix.LiveView'). -export([render/1, code_change/3]).
        render(#{count := N}) -> {\(text), N}.
        code_change(V, #{count := N} = S, _) -> _ = V, {ok, S#{count := \(count)}}.
        """
    }

    private static func page(_ version: String, _ view: String) -> CorpusPair.Application {
        demo(
            version,
            [
                "demo_view": view,
                "demo_sup": CorpusSource.supervisor([
                    ("server", "demo_server"), ("view", "'Elixir.Phoenix.LiveView.Channel'"),
                ]),
            ], needs: ["phoenix_live_view"])
    }

    private static let views: [CorpusPair] = [
        CorpusPair(
            name: "a page of LiveView: its state is kept, and it is rendered again",
            old: [liveView, page("1", view("old", "N"))],
            new: [liveView, page("2", view("new", "N + 1"))],
            end: .hot(
                expression: "gen_server:call(view, get)", old: "first", new: "{new,2}",
                // On the way back the newer module is asked, as with every process.
                back: "{old,3}"))
    ]

    private static let refusals: [CorpusPair] = [
        CorpusPair(
            "code that changed under the same version",
            ["demo_text": CorpusSource.module("demo_text", "text/0", "text() -> old.")],
            ["demo_text": CorpusSource.module("demo_text", "text/0", "text() -> new.")],
            .refused(
                .changedUnderSameVersion(
                    application: "demo", version: "1", module: "demo_text")),
            newVersion: "1"),
        CorpusPair(
            "a module that becomes a server",
            ["demo_text": CorpusSource.module("demo_text", "text/0", "text() -> old.")],
            ["demo_text": CorpusSource.server("demo_text")],
            .refused(.kindChanged(module: "demo_text", from: .plain, to: .server))),
        CorpusPair(
            "a module with native code",
            [
                "demo_nif": CorpusSource.module(
                    "demo_nif", "f/0", "f() -> erlang:load_nif(\"old\", 0).")
            ],
            [
                "demo_nif": CorpusSource.module(
                    "demo_nif", "f/0", "f() -> erlang:load_nif(\"new\", 0).")
            ],
            .refused(.nativeModule("demo_nif"))),
        CorpusPair(
            "a module with on_load",
            ["demo_load": "-module(demo_load). -on_load(f/0). f() -> _ = old, ok."],
            ["demo_load": "-module(demo_load). -on_load(f/0). f() -> put(a, new), ok."],
            .refused(.runsWhenLoaded(module: "demo_load"))),
        CorpusPair(
            "a supervisor that makes a table", [:],
            ["demo_sup": CorpusSource.supervisor(more: "ets:new(t, []),")],
            .refused(.supervisorWithEffects(module: "demo_sup", call: "ets:new/2"))),
        CorpusPair(
            name: "another start of the application", old: [demo("1")],
            new: [
                demo(
                    "2",
                    [
                        "demo_app": CorpusSource.application.replacingOccurrences(
                            of: "start(_, _) ->", with: "start(_, _) -> put(a, b),")
                    ])
            ], end: .refused(.changedStart(application: "demo"))),
        CorpusPair(
            name: "other included applications", old: [library("1", "old"), demo("1")],
            new: [
                library("1", "old"), demo("2", more: ", {included_applications, [lib]}"),
            ], end: .refused(.changedInclusion(application: "demo"))),
        CorpusPair(
            name: "a changed library of native code",
            old: [demo("1", files: ["priv/a.so": "old"])],
            new: [demo("2", files: ["priv/a.so": "new"])],
            end: .refused(.nativeLibrary(application: "demo", path: "priv/a.so"))),
    ]
}
