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
            let said = try await node.upgrade(by: relup, asking: expression)
            #expect(
                said == [
                    "{old,\(old)}", "{ok,\"1\",[]}", "{ok,\"1\",[]}", "{new,\(new)}",
                    "{true,{[],[],[]}}", "{ok,\"1\",[]}", "{back,\(back)}", "{true,{[],[],[]}}",
                ], "\(pair.name)")
        case (.failure(let refusal), .hot):
            Issue.record("\(pair.name): refused: \(refusal)")
        case (.success(let relup), .refused):
            Issue.record(
                "\(pair.name): not refused: \(String(decoding: relup.text, as: UTF8.self))")
        }
    }
}
