import Foundation
import Supervisor
import TestKit

@testable import Deployment

/// The releases of the corpus, made by `erlc` and `systools`: for each pair the folders `current`,
/// which a node can run in, and `staged`.
final class CorpusFolder: Sendable {
    private let shared: SharedFolder
    let files = HostFileSystem()

    var path: String { shared.path }
    var location: String { shared.location }

    /// All pairs, made once for all tests.
    static let made = Task { try await CorpusFolder(Corpus.pairs) }

    private init(_ pairs: [CorpusPair]) async throws {
        shared = try SharedFolder()
        for (index, pair) in pairs.enumerated() {
            try write(pair.old, version: "1", to: "\(index)/current")
            try write(pair.new, version: "2", to: "\(index)/staged")
        }
        try shared.write(Array(Self.script.utf8), to: "build.script")
        let output = try await ErlangProcess.run(
            script: """
                file:set_cwd("\(path)"), R = (catch file:script("build.script", [{'Count', \(pairs.count)}])),
                io:format("~0p", [R]), halt().
                """)
        guard output == "{ok,ok}" else { throw TestFailure("building the corpus: \(output)") }
    }

    private func write(
        _ applications: [CorpusPair.Application], version: String, to folder: String
    ) throws {
        for application in applications {
            let library = "\(location)/\(folder)/lib/\(application.name)-\(application.version)"
            try files.makeFolders("\(library)/ebin", mode: 0o755)
            try files.makeFolders("\(library)/src", mode: 0o755)
            for (name, source) in application.modules {
                try write(
                    "-compile([\(application.options)]).\n", before: source,
                    to: "\(library)/src/\(name).erl")
            }
            for (name, text) in application.files {
                let path = "\(library)/\(name)"
                try files.makeFolders(
                    String(path[..<path.lastIndex(of: "/")!]), mode: 0o755)
                try write("", before: text, to: path)
            }
            let start = application.start.map { ", {mod, {\($0), []}}" } ?? ""
            let needs = (["kernel", "stdlib"] + application.needs).joined(separator: ", ")
            try write(
                "",
                before: """
                    {application, \(application.name), [{description, "corpus"}, {vsn, "\(application.version)"},
                      {modules, [\(application.modules.keys.sorted().joined(separator: ", "))]},
                      {registered, []}, {applications, [\(needs)]}\(start)\(application.more)]}.
                    """, to: "\(library)/ebin/\(application.name).app")
        }
        let release = "\(location)/\(folder)/releases/\(version)"
        try files.makeFolders(release, mode: 0o755)
        try write("", before: "[].\n", to: "\(release)/sys.config")
        let list = applications.map { "{\($0.name), \"\($0.version)\"}" }
        try write(
            "", before: "{\"\(version)\", [\(list.joined(separator: ", "))]}.\n",
            to: "\(release)/applications")
    }

    private func write(_ head: String, before text: String, to path: String) throws {
        // The module's name comes first, its options follow.
        let text = head.isEmpty ? text : text.replacingOccurrences(of: "). -", with: ").\n-")
        let lines = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let whole =
            head.isEmpty
            ? text : lines[0] + "\n" + head + (lines.count > 1 ? String(lines[1]) : "")
        try whole.write(toFile: path, atomically: false, encoding: .utf8)
    }

    /// Compiles and assembles every release. Those of OTP are linked to.
    private static let script = """
        Library = fun(App) -> ok = case application:load(App) of {error, {already_loaded, _}} -> ok; O -> O end,
                              {ok, V} = application:get_key(App, vsn), {App, V, code:lib_dir(App)} end,
        OTP = [Library(A) || A <- [kernel, stdlib, sasl]],
        ERTS = erlang:system_info(version),
        Build = fun(Folder) ->
            [Terms] = filelib:wildcard(Folder ++ "/releases/*/applications"),
            {ok, [{Version, Apps}]} = file:consult(Terms),
            Release = filename:dirname(Terms),
            [ok = file:make_symlink(Dir, lists:concat([Folder, "/lib/", A, "-", V])) || {A, V, Dir} <- OTP],
            ok = file:make_symlink(code:root_dir() ++ "/erts-" ++ ERTS, Folder ++ "/erts-" ++ ERTS),
            [begin
                 Lib = lists:concat([Folder, "/lib/", A, "-", V]),
                 [case compile:file(F, [{outdir, Lib ++ "/ebin"}, report_errors, {i, Lib}]) of
                      {ok, _} -> ok; X -> throw({F, X}) end
                  || F <- filelib:wildcard(Lib ++ "/src/*.erl")]
             end || {A, V} <- Apps],
            Rel = {release, {"demo", Version}, {erts, ERTS}, [{A, V} || {A, V, _} <- OTP] ++ Apps},
            ok = file:write_file(Release ++ "/demo.rel", io_lib:format("~p.~n", [Rel])),
            case systools:make_script(Release ++ "/demo", [silent, no_warn_sasl, {outdir, Release},
                    {path, [Folder ++ "/lib/*/ebin"]}]) of
                {ok, _, _} -> ok; ok -> ok; Y -> throw({Folder, Y}) end,
            ok = file:rename(Release ++ "/demo.boot", Release ++ "/start.boot")
        end,
        [Build(integer_to_list(N) ++ "/" ++ Side) || N <- lists:seq(0, Count - 1), Side <- ["current", "staged"]],
        ok.
        """
}
