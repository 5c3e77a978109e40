import ExternalTermFormat

/// The Erlang side of the term tests: a module that works through files of frames, each a 4-byte length and
/// that many bytes.
enum TermPeer {
    /// Compiles the module and calls `term_peer:Function(Folder)`.
    static func run(_ function: String, in folder: SharedFolder) async throws {
        try folder.write(Array(source.utf8), to: "term_peer.erl")
        _ = try await ErlangProcess.run(
            script: """
                D = "\(folder.path)",
                case compile:file(D ++ "/term_peer.erl", [binary, return_errors]) of
                    {ok, M, B} -> {module, M} = code:load_binary(M, "term_peer.erl", B);
                    E -> io:format("~p~n", [E]), halt(1)
                end,
                try term_peer:\(function)(D), halt(0)
                catch C:R:S -> io:format("~0p~n", [{C, R, S}]), halt(1) end.
                """, arguments: ["+pc", "unicode"])
    }

    static func frames(_ contents: [[UInt8]]) -> [UInt8] {
        var encoder = TermEncoder()
        for content in contents {
            let length = encoder.appendLengthPlaceholder()
            encoder.bytes += content
            encoder.patchLength(at: length)
        }
        return encoder.bytes
    }

    static func contents(_ frames: [UInt8]) -> [[UInt8]] {
        var contents: [[UInt8]] = []
        var offset = 0
        while offset + 4 <= frames.count {
            let count = frames[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
            contents.append(Array(frames[offset + 4..<offset + 4 + count]))
            offset += 4 + count
        }
        return contents
    }

    private static let source = #"""
        -module(term_peer).
        -export([echo/1, generate/1, consult/1, parse/1]).

        frames(<<N:32, B:N/binary, R/binary>>) -> [B | frames(R)];
        frames(<<>>) -> [].
        frame(B) -> [<<(byte_size(B)):32>>, B].
        read(D, F) -> {ok, B} = file:read_file(D ++ "/" ++ F), frames(B).
        write(D, F, L) -> ok = file:write_file(D ++ "/" ++ F, [frame(B) || B <- L]).
        enc(T) -> term_to_binary(T, [{minor_version, 2}]).

        %% Decodes and encodes again.
        echo(D) -> write(D, "out", [enc(decode(B)) || B <- read(D, "in")]).
        decode(B) -> try binary_to_term(B) catch _:_ -> {cannot_decode, B} end.

        %% file:consult/1 of a whole file.
        consult(D) -> {ok, L} = file:consult(D ++ "/in"), write(D, "out", [enc(T) || T <- L]).

        %% Each text on its own: {ok, Term} or error.
        parse(D) -> write(D, "out", [enc(parse_one(B)) || B <- read(D, "in")]).
        parse_one(B) ->
            try
                L = unicode:characters_to_list(B),
                {ok, T, _} = erl_scan:string(L ++ "\n.\n"),
                {ok, V} = erl_parse:parse_term(T),
                {ok, V}
            catch _:_ -> error end.

        %% Random terms: the bytes, and the text on one line or <<>> where there is none to read back.
        generate(D) ->
            rand:seed(exsss, {1, 2, 3}),
            write(D, "out", lists:append([one() || _ <- lists:seq(1, 4000)])).
        one() ->
            T = term(rand:uniform(6)),
            Text = unicode:characters_to_binary(io_lib:format("~0tp", [T])),
            [enc(T), Text].
        term(0) -> leaf(rand:uniform(13));
        term(N) ->
            case rand:uniform(8) of
                1 -> list_to_tuple(terms(N));
                2 -> terms(N);
                3 -> case terms(N) of [] -> []; L -> L ++ leaf(rand:uniform(13)) end;
                4 -> maps:from_list([{term(N - 1), term(N - 1)} || _ <- lists:seq(1, rand:uniform(5))]);
                5 -> term(N - 1);
                6 -> maps:from_list([{leaf(5), leaf(4)} || _ <- lists:seq(1, rand:uniform(60))]);
                _ -> leaf(rand:uniform(13))
            end.
        terms(N) -> [term(N - 1) || _ <- lists:seq(1, rand:uniform(6) - 1)].
        bytes(N) -> list_to_binary([rand:uniform(256) - 1 || _ <- lists:seq(1, rand:uniform(N) - 1)]).
        char() ->
            case rand:uniform(8) of
                1 -> rand:uniform(160) - 1;
                2 -> rand:uniform(16#D7FF);
                3 -> 16#E000 + rand:uniform(16#10FFFF - 16#E000);
                4 -> rand:uniform(256) - 1;
                _ -> 31 + rand:uniform(95)
            end.
        chars(N) -> [char() || _ <- lists:seq(1, rand:uniform(N) - 1)].
        letters(N) -> [96 + rand:uniform(26) || _ <- lists:seq(1, rand:uniform(N))].
        leaf(1) -> rand:uniform(512) - 256;
        leaf(2) -> (rand:uniform(1 bsl 33) - (1 bsl 32)) bsl rand:uniform(40);
        leaf(3) -> sign() * binary:decode_unsigned(<<1, (bytes(300))/binary>>);
        leaf(4) -> sign() * rand:uniform() * math:pow(10, rand:uniform(40) - 20);
        leaf(5) -> list_to_atom(letters(20));
        leaf(6) -> list_to_atom(chars(30));
        leaf(7) -> chars(20);
        leaf(8) -> unicode:characters_to_binary(chars(20));
        leaf(9) -> bytes(20);
        leaf(10) -> <<(bytes(6))/binary, (rand:uniform(255)):(rand:uniform(7))>>;
        leaf(11) -> fun lists:map/2;
        leaf(12) -> letters(30);
        leaf(13) ->
            case rand:uniform(4) of
                1 -> float(rand:uniform(1 bsl 20) - 1) * math:pow(10, rand:uniform(30) - 15);
                2 -> <<F:64/float>> = <<(rand:uniform(16#7FEFFFFFFFFFFFFF)):64>>, F;
                3 -> float(rand:uniform(1 bsl 60));
                4 -> rand:uniform(10000) / 1000
            end.
        sign() -> case rand:uniform(2) of 1 -> 1; 2 -> -1 end.
        """#
}
