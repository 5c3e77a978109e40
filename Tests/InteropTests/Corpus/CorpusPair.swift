import Testing

@testable import Deployment

/// Two versions of a small release, and how an upgrade from the one to the other must end.
struct CorpusPair: Sendable, CustomTestStringConvertible {
    struct Application: Sendable {
        var name = "demo"
        var version: String
        /// The source of each module, by its name.
        var modules: [String: String]
        /// The module that starts it; `nil` for a library.
        var start: String? = "demo_app"
        var needs: [String] = []
        /// Other lines of its description.
        var more = ""
        /// Other files, by their paths within the application's folder.
        var files: [String: String] = [:]
        /// Options of the compiler.
        var options = ""
    }

    enum End: Sendable {
        /// The release is upgraded and brought back while it runs. Each time the expression has
        /// this value: before, with the new version, with the old one again.
        case hot(expression: String, old: String, new: String, back: String)
        /// No relup is written, for this reason.
        case refused(RelupRefusal)
    }

    var name: String
    var old: [Application]
    var new: [Application]
    var end: End

    var testDescription: String { name }
}

// MARK: - Sources

enum CorpusSource {
    static let application = """
        -module(demo_app). -behaviour(application). -export([start/2, stop/1]).
        start(_, _) -> demo_sup:start_link().
        stop(_) -> ok.
        """

    /// A supervisor from a module.
    /// - Parameter children: child specifications, of each a tuple of its identifier and module.
    static func supervisor(
        _ children: [(id: String, module: String)] = [("server", "demo_server")], more: String = ""
    ) -> String {
        let specs = children.map { "#{id => \($0.id), start => {\($0.module), start_link, []}}" }
        return """
            -module(demo_sup). -behaviour(supervisor). -export([start_link/0, init/1]).
            start_link() -> supervisor:start_link({local, demo_sup}, demo_sup, []).
            init([]) -> \(more) {ok, {#{}, [\(specs.joined(separator: ", "))]}}.
            """
    }

    /// A server that counts, and says how by `format`.
    static func server(
        _ name: String = "demo_server", reply: String = "State", state: String = "1",
        change: String? = "{ok, State}", more: String = "", behaviour: String = "gen_server"
    ) -> String {
        let exports = change == nil ? "" : "-export([code_change/3])."
        let change = change.map { "code_change(Version, State, _) -> _ = Version, \($0)." } ?? ""
        return """
            -module(\(name)). -behaviour(\(behaviour)).
            -export([start_link/0, init/1, handle_call/3, handle_cast/2]). \(exports)
            start_link() -> gen_server:start_link({local, \(name)}, \(name), [], []).
            init([]) -> {ok, \(state)}.
            handle_call(set, _, _) -> {reply, ok, 5};
            handle_call(get, _, State) -> {reply, \(reply), State}.
            handle_cast(_, State) -> {noreply, State}.
            \(change)
            \(more)
            """
    }

    static func module(_ name: String, _ exports: String, _ body: String) -> String {
        "-module(\(name)). -export([\(exports)]). \(body)"
    }
}

extension CorpusPair {
    /// A pair of an application that has a supervisor and a server, and other modules besides.
    init(
        _ name: String, _ old: [String: String], _ new: [String: String], _ end: End,
        oldVersion: String = "1", newVersion: String = "2"
    ) {
        let base = [
            "demo_app": CorpusSource.application, "demo_sup": CorpusSource.supervisor(),
            "demo_server": CorpusSource.server(),
        ]
        func merged(_ other: [String: String]) -> [String: String] {
            base.merging(other) { $1 }.filter { !$0.value.isEmpty }
        }
        self.init(
            name: name, old: [Application(version: oldVersion, modules: merged(old))],
            new: [Application(version: newVersion, modules: merged(new))], end: end)
    }
}
