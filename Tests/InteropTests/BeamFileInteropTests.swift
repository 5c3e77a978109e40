import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import Deployment

/// What deployex reads in the modules of OTP, against what `beam_lib` and the node itself say.
@Suite(.ifOTPIsThere, .timeLimit(.minutes(5)))
struct BeamFileInteropTests {
    /// A line for each module: name, file, digest, exports, imports, behaviours, and whether a
    /// function runs when it is loaded, according to its assembly.
    private static let script = """
        Sorted = fun(Fs) -> lists:sort([lists:concat([F, "/", A]) || {F, A} <- Fs]) end,
        Files = lists:append([filelib:wildcard(code:lib_dir(L) ++ "/ebin/*.beam")
                              || L <- [kernel, stdlib, sasl, crypto, asn1, runtime_tools, ssl]]),
        [begin
             {ok, {M, [{attributes, As}, {exports, Es}, {imports, Is}]}} =
                 beam_lib:chunks(F, [attributes, exports, imports]),
             {ok, {M, D}} = beam_lib:md5(F),
             {beam_file, M, _, _, _, Code} = beam_disasm:file(F),
             OnLoad = lists:any(fun({function, _, _, _, I}) -> lists:member(on_load, I) end, Code),
             Bs = lists:usort([B || {K, Vs} <- As, K =:= behaviour orelse K =:= behavior, B <- Vs]),
             Row = {M, F, D, Sorted(Es), lists:sort([lists:concat([N, ":", G, "/", A]) || {N, G, A} <- Is]),
                    Bs, OnLoad},
             io:format("~s~n", [base64:encode(term_to_binary(Row))])
         end || F <- Files],
        halt().
        """

    @Test func `modules are read as OTP reads them`() async throws {
        let output = try await ErlangProcess.run(script: Self.script)
        var (count, loading) = (0, 0)
        for line in output.split(separator: "\n") {
            let encoded = try #require(base64(String(line)))
            let row = try #require(Term(decoding: encoded).asTuple)
            let name = try #require(row[0].asAtom?.name)
            let file = try #require(row[1].asText)
            let bytes = Files.bytes((OTPRelease.current.root ?? "") + file)
            let beam = try BeamFile(bytes)
            #expect(try beam.atoms().first == name)
            #expect(BeamCode(beam).digest == row[2].asBinary.map { Array($0) })
            #expect(
                try beam.exports().map(\.description).sorted()
                    == row[3].asList?.compactMap(\.asText).sorted(), "\(name)")
            #expect(
                try beam.imports().map { "\($0.module):\($0.function)" }.sorted()
                    == row[4].asList?.compactMap(\.asText).sorted(), "\(name)")
            #expect(
                try beam.behaviours().sorted() == row[5].asList?.compactMap(\.asAtom?.name),
                "\(name)")
            #expect(try beam.runsWhenLoaded() == row[6].asBool, "\(name)")
            count += 1
            if row[6].asBool == true { loading += 1 }
        }
        #expect(count > 300)
        #expect(loading > 0)
    }

    private func base64(_ text: String) -> [UInt8]? {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var (bytes, value, bits): ([UInt8], Int, Int) = ([], 0, 0)
        for character in text.utf8 where character != UInt8(ascii: "=") {
            guard let digit = alphabet.firstIndex(of: character) else { return nil }
            value = (value << 6 | digit) & 0xFFFF
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: value >> bits))
            }
        }
        return bytes
    }
}
