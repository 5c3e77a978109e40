import Foundation
import Supervisor
import TestKit
import Transport

@testable import Deployment

/// Upgrades one pair of the corpus on a node of its own, by the relup that deployex has written.
struct CorpusNode {
    var folder: CorpusFolder
    var number: Int

    private var current: String { "\(folder.path)/\(number)/current" }
    private var staged: String { "\(folder.path)/\(number)/staged" }

    /// The relup, or why there is none.
    func relup() throws -> Result<WrittenRelup, RelupRefusal> {
        let (old, new) = try ReleaseCode.read(
            from: "1", in: "\(folder.location)/\(number)/current", to: "2",
            in: "\(folder.location)/\(number)/staged", name: "demo", files: folder.files)
        return Result { () throws(RelupRefusal) in
            try RelupWriter(root: current).relup(from: old, to: new)
        }
    }

    /// What the node says of the upgrade and the way back.
    func upgrade(by relup: WrittenRelup, asking expression: String) async throws -> [String] {
        let release = "\(folder.location)/\(number)/staged/releases/2"
        for (name, bytes) in [
            ("relup", relup.text), (UpgradeScript.name, Array(UpgradeScript.text.utf8)),
        ] {
            try folder.files.replaceFile("\(release)/\(name)", with: bytes, mode: 0o644)
        }
        // Without it the node does not know where the code of the old release is.
        let old = "\(folder.location)/\(number)/current"
        try folder.files.replaceFile(
            "\(old)/releases/RELEASES",
            with: ReleasesFile.text(
                for: .read(old, name: "demo", version: "1", files: folder.files)), mode: 0o644)
        let words = ["sh", "-c", Self.shell(current, staged, expression)]
        let output = try await offload {
            try ChildProcess.run(
                words[0], Array(words.dropFirst()), errors: .inherited, within: .seconds(120))
        }
        return output.split(separator: "\n").filter { $0.hasPrefix("= ") }
            .map { String($0.dropFirst(2)) }
    }

    /// Copies the new release beside the old one, and starts the node.
    private static func shell(
        _ current: String, _ staged: String, _ expression: String
    ) -> String {
        let erlang = script.replacingOccurrences(of: "EXPRESSION", with: expression)
            .replacingOccurrences(of: "\n", with: " ")
        let inner = """
            cp -Rn \(staged)/lib/. \(current)/lib/ && cp -R \(staged)/releases/2 \(current)/releases/ &&
            cd \(current) && set -- erts-* && export ROOTDIR=\(current) BINDIR=\(current)/$1/bin EMU=beam PROGNAME=erl &&
            exec $BINDIR/erlexec -boot \(current)/releases/1/start -config \(current)/releases/1/sys \
            -mode embedded -noshell -noinput -kernel logger_level critical -eval "$SCRIPT"
            """
        guard let root = OTPRelease.current.root else {
            return "SCRIPT='\(erlang)'\n\(inner)"
        }
        return "export SCRIPT='\(erlang)'\nexec /usr/sbin/chroot \(root) /bin/sh -c '\(inner)'"
    }

    /// A line for each step: what the expression gives, whether the server is the same process, and
    /// which modules do not run what their files hold.
    private static let script = """
        Say = fun(What) -> io:format("= ~0tp~n", [What]) end,
        Marker = "restarted",
        case file:read_file_info(Marker) of {ok, _} -> Say(restarted), halt(0); _ -> ok end,
        {ok, Root} = file:get_cwd(),
        Rel = fun(V) -> {ok, [{release, _, _, Apps}]} = file:consult("releases/" ++ V ++ "/demo.rel"),
                        [{element(1, A), element(2, A)} || A <- Apps] end,
        Files = fun(V) -> [F || {A, N} <- Rel(V), not lists:member(A, [kernel, stdlib, sasl]),
                                F <- filelib:wildcard(lists:concat(["lib/", A, "-", N, "/ebin/*.beam"]))] end,
        Name = fun(F) -> list_to_atom(filename:basename(F, ".beam")) end,
        Check = fun(V, Other) ->
            Stale = [Name(F) || F <- Files(V), {ok, {_, D}} <- [beam_lib:md5(F)],
                     D =/= (catch erlang:get_module_info(Name(F), md5))],
            Left = [Name(F) || F <- Files(Other), not lists:member(Name(F), [Name(G) || G <- Files(V)]),
                               erlang:module_loaded(Name(F))],
            Missing = [A || {A, N} <- Rel(V), not lists:member({A, N}, [{B, W} || {B, _, W} <- application:which_applications()]),
                            not lists:member(A, [kernel, stdlib])],
            {Stale, Left, Missing} end,
        Ask = fun() -> EXPRESSION end,
        Server = whereis(demo_server),
        ok = gen_server:call(demo_server, set),
        Say({old, Ask()}),
        {ok, "2"} = release_handler:set_unpacked(Root ++ "/releases/2/demo.rel",
            [{A, V, Root ++ "/lib"} || {A, V} <- Rel("2")]),
        Say(release_handler:check_install_release("2")),
        file:write_file(Marker, ""),
        Say(release_handler:install_release("2", [{update_paths, true}])),
        Say({new, Ask()}),
        Say({Server =:= whereis(demo_server), Check("2", "1")}),
        ok = release_handler:make_permanent("2"),
        Say(release_handler:install_release("1", [{update_paths, true}])),
        Say({back, Ask()}),
        Say({Server =:= whereis(demo_server), Check("1", "2")}),
        halt(0).
        """
}
