import ExternalTermFormat
import TestKit
import Testing

@testable import Deployment

/// Answers of nodes that lie.
@Suite struct NodeAnswersTests {
    private func answer(_ text: String) throws -> RemoteScript.Answer {
        RemoteScript.Answer(value: try Term(text: text), microseconds: 5)
    }

    @Test func `processes are read, and those without a name have none`() throws {
        let list = try #require(
            ProcessList(
                answer(
                    """
                    {7, [{"<0.1.0>", <<"[]">>, 10, 2, 3, <<"{a,b,1}">>, <<"{c,d,2}">>},
                         {"<0.2.0>", <<"<script>">>, 9, 0, 3, <<"{a,b,1}">>, <<"{c,d,2}">>}]}
                    """)))
        #expect(list.count == 7)
        #expect(list.entries.map(\.name) == [nil, "<script>"])
        #expect(list.entries[0].queueLength == 2)
        #expect(list.term["cost_microseconds"] == 5)
    }

    @Test(arguments: [
        "{-1, []}", "{1, x}", "{1, [x]}", "{1, [{1,2,3,4,5,6,7}]}",
        "{1, [{\"<0.1.0>\", <<\"[]\">>, -10, 2, 3, <<\"a\">>, <<\"b\">>}]}",
    ])
    func `another shape is no list of processes`(_ text: String) throws {
        #expect(ProcessList(try answer(text)) == nil)
    }

    @Test func `long texts are cut, and more than was asked for is refused`() throws {
        let long = String(repeating: "a", count: 100_000)
        let entry = "{\"<0.1.0>\", <<\"\(long)\">>, 1, 2, 3, <<\"a\">>, <<\"b\">>}"
        let list = try #require(ProcessList(answer("{1, [\(entry)]}")))
        #expect(list.entries[0].name?.utf8.count == 400)
        let short = "{\"<0.1.0>\", <<\"a\">>, 1, 2, 3, <<\"a\">>, <<\"b\">>}"
        let many = Array(repeating: short, count: ProcessList.limit + 1).joined(separator: ",")
        #expect(ProcessList(try answer("{1, [\(many)]}")) == nil)
    }

    @Test func `a tree that never ends is refused`() throws {
        var text = "{<<\"a\">>, \"<0.1.0>\", supervisor, <<\"m\">>, [], 0}"
        var left = SupervisionTree.countLimit
        let leaf = try Term(text: text)
        let tree = try #require(SupervisionTree(leaf, depth: 0, left: &left))
        #expect(tree.isSupervisor && tree.pid == "<0.1.0>" && tree.hiddenCount == 0)
        for _ in 0...SupervisionTree.depthLimit + 1 {
            text = "{<<\"a\">>, \"<0.1.0>\", supervisor, <<\"m\">>, [\(text)], 0}"
        }
        left = SupervisionTree.countLimit
        #expect(SupervisionTree(try Term(text: text), depth: 0, left: &left) == nil)
        let wide = Array(repeating: leaf, count: SupervisionTree.countLimit + 1)
        left = SupervisionTree.countLimit
        let term: Term = .tuple([
            .binary("a"), .binary("undefined"), .atom("worker"), .binary("m"), .list(wide), -1,
        ])
        #expect(SupervisionTree(term, depth: 0, left: &left) == nil)
    }

    @Test func `addresses are of the web alone`() {
        #expect(NodeDetails.isAddress("http://localhost:4000"))
        #expect(NodeDetails.isAddress("https://example.org/a?b=c"))
        for text in [
            "javascript:alert(1)", "http://a b", "http://a\"onclick=", "http://a<b", "", "ftp://a",
            "http://a\u{202E}b", "http://a\n",
        ] {
            #expect(!NodeDetails.isAddress(text), "\(text)")
        }
    }

    @Test func `a process is named as the node names its own`() {
        #expect(ProcessDetails.isPID("<0.123.0>"))
        for text in ["<1.2.3>", "<0.1>", "<0.1.0", "0.1.0", "<0..0>", "<0.1.0>>", "<0.-1.0>", ""] {
            #expect(!ProcessDetails.isPID(text), "\(text)")
        }
    }

    @Test func `details of a process need no state`() throws {
        let text = """
            #{pid => "<0.1.0>", name => <<"[]">>, memory => 1, queue => 0, reductions => 5,
              current => <<"c">>, initial => <<"i">>, status => waiting, traps => true,
              priority => high, heap => 8, leader => "<0.0.0>", stack => [<<"s">>],
              links => {3, [<<"<0.2.0>">>]}, monitors => {0, []}, monitored_by => {0, []},
              state => none}
            """
        let details = try #require(ProcessDetails(answer(text)))
        #expect(details.term["state"] == .null)
        #expect(details.term["name"] == .null)
        #expect(details.term["links"]?["count"] == 3)
        let state = text.replacing("state => none", with: "state => {ok, <<\"secret\">>}")
        #expect(ProcessDetails(try answer(state))?.term["state"] == .binary("secret"))
        let hostile = text.replacing("memory => 1", with: "memory => x")
        #expect(ProcessDetails(try answer(hostile)) == nil)
    }
}
