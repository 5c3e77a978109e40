import Foundation

@testable import Deployment

/// Pairs of small releases, each with the one way in which its upgrade must end.
enum Corpus {
    static let pairs: [CorpusPair] = processes + modules + trees + applications + refusals

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
