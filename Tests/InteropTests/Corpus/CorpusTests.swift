import Testing

@testable import Deployment

/// Every pair of the corpus ends in its own way, and in no other.
@Suite(.ifOTPIsThere, .serialized, .timeLimit(.minutes(10)))
struct CorpusTests {
    @Test(arguments: Corpus.pairs.indices)
    func `a pair of releases ends as it must`(number: Int) async throws {
        let pair = Corpus.pairs[number]
        let node = CorpusNode(folder: try await CorpusFolder.made.value, number: number)
        switch (try node.relup(), pair.end) {
        case (.failure(let found), .refused(let expected)):
            #expect(found == expected, "\(pair.name)")
        case (.success(let relup), .hot(let expression, let old, let new, let back)):
            let said = try await node.upgrade(
                by: relup, asking: expression, before: pair.before)
            #expect(
                said == [
                    "{old,\(old)}", "{ok,\"1\",[]}", "{ok,\"1\",[]}", "{new,\(new)}",
                    "{true,{[],[],[]}}", "{ok,\"1\",[]}", "{back,\(back)}", "{true,{[],[],[]}}",
                ], "\(pair.name)")
        case (.success(let relup), .restarted):
            let said = try await node.upgrade(by: relup, asking: "ok", before: pair.before)
            #expect(said.prefix(2) == ["{old,ok}", "{ok,\"1\",[]}"], "\(pair.name)")
            #expect(said.last == "restarted", "\(pair.name)")
        case (.success(let relup), .notBegun(let reason)):
            let said = try await node.upgrade(
                by: relup, asking: "gen_server:call(demo_server, get)", before: pair.before)
            #expect(
                said.prefix(4) == [
                    "{old,5}", "{error,\(reason)}", "{error,\(reason)}", "{new,5}",
                ], "\(pair.name)")
        case (.failure(let refusal), .hot), (.failure(let refusal), .restarted),
            (.failure(let refusal), .notBegun):
            Issue.record("\(pair.name): refused: \(refusal)")
        case (.success(let relup), .refused):
            Issue.record(
                "\(pair.name): not refused: \(String(decoding: relup.text, as: UTF8.self))")
        }
    }
}
