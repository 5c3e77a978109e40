import ExternalTermFormat
import Foundation
import Supervisor
import Testing

@testable import Deployment

struct ResolvedConfigurationTests {
    private func output(_ term: Term, before: String = "", after: String = "") -> [UInt8] {
        let base64 = Data(term.encoded()).base64EncodedString()
        return Array("\(before)\ndeployex-configuration:\(base64)\n\(after)".utf8)
    }

    private func printed(_ environment: Term, root: String = "/srv/new") -> Term {
        .tuple([.binary(root), environment, .atom("nil")])
    }

    private func resolved(
        _ output: [UInt8], keeping module: String? = nil
    ) throws(FileSystemError) -> ResolvedConfiguration {
        try ResolvedConfiguration(StagedAnswer(output: output), root: "/srv/current") { name, _ in
            name == module
        }
    }

    private func configuration(
        _ pairs: [(Atom, Term)], root: String = "/srv/new"
    ) throws(FileSystemError) -> Term {
        let environment = Term.list(pairs.map { .tuple([.atom($0.0), $0.1]) })
        return try resolved(
            output(printed([.tuple([.atom("counter"), environment])], root: root))
        ).applications
    }

    @Test func `the configuration is found among whatever else was printed`() throws {
        let environment: Term = [
            .tuple([.atom("counter"), [.tuple([.atom("port"), .integer(4000)])]])
        ]
        let bytes = output(
            printed(environment), before: "12:00:01 [info] provider\n\u{1b}[0m",
            after: "bye\ndeployex-con")
        #expect(
            try resolved(bytes).applications == environment)
    }

    @Test(arguments: [
        "", "deployex-configuration:", "deployex-configuration:g2gC!",
        "deployex-configuration:AAAA",
        "deployex-configuration:g2o=", "nothing here", "deployex-configuration:g2Ft=",
    ])
    func `what is no configuration is refused`(text: String) {
        #expect(throws: FileSystemError.self) {
            try resolved(Array(text.utf8))
        }
    }

    @Test(
        arguments: [
            [.integer(1)], .atom("nil"), [.tuple([.atom("counter"), .atom("port")])],
            [.tuple([.binary("counter"), []])], [.tuple([.atom("counter"), [.atom("port")]])],
            [.tuple([.atom("counter"), [.tuple([.charlist("port"), .integer(1)])]])],
        ] as [Term])
    func `terms of another shape are refused`(term: Term) {
        #expect(throws: FileSystemError.unusable("the release printed what is no configuration")) {
            try resolved(output(printed(term)))
        }
    }

    private let pid = PID(node: "a@b", id: 1, serial: 0, creation: 1)

    private func function(_ module: Atom, holding values: [Term] = []) -> Term {
        .fun(
            Fun(
                arity: 1, uniq: Array(repeating: 0, count: 16), index: 0, module: module,
                oldIndex: 0, oldUniq: 0, pid: pid, freeVariables: values))
    }

    @Test func `a value that cannot reach the node is refused by the name of its key`() {
        let reference = Term.reference(Reference(node: "a@b", creation: 1, words: [1, 2, 3]))
        let values: [(Term, String)] = [
            (.pid(pid), "a pid"), (.port(Port(node: "a@b", id: 1, creation: 1)), "a port"),
            (reference, "a reference, as a compiled regular expression does"),
            (function("m"), "a local function of m, whose code changes"),
            (
                [.tuple([.atom("f"), .map(TermMap([(key: .atom("k"), value: function("m"))]))])],
                "a local function of m, whose code changes"
            ),
            (function("kept", holding: [.tuple([reference])]), "a reference, as a compiled"),
            (.list([.integer(1)], tail: .pid(pid)), "a pid"),
            (.map(TermMap([(key: .pid(pid), value: [])])), "a pid"),
        ]
        for (value, what) in values {
            let environment: Term = [
                .tuple([.atom("port"), .integer(1)]), .tuple([.atom("handler"), value]),
            ]
            do throws(FileSystemError) {
                _ = try resolved(
                    output(printed([.tuple([.atom("counter"), environment])])), keeping: "kept")
                Issue.record("\(what) is taken")
            } catch {
                #expect("\(error)".hasPrefix("counter.handler holds \(what)"))
            }
        }
    }

    @Test func `a local function of unchanged code comes with the relup`() throws {
        let handler = Term.tuple([.atom("handler"), [function("kept", holding: [.integer(7)])]])
        let configuration = try resolved(
            output(
                printed([
                    .tuple([.atom("counter"), [.tuple([.atom("port"), .integer(1)]), handler]]),
                    .tuple([.atom("other"), [.tuple([.atom("key"), .integer(2)])]]),
                ])), keeping: "kept")
        #expect(
            try ErlangFile.terms(configuration.text) == [
                [
                    .tuple([.atom("counter"), [.tuple([.atom("port"), .integer(1)])]]),
                    .tuple([.atom("other"), [.tuple([.atom("key"), .integer(2)])]]),
                ]
            ])
        let carried: Term = [.tuple([.atom("counter"), [handler]])]
        #expect(configuration.carried == carried)
        let call = try #require(configuration.hook?.asTuple?.last?.asTuple)
        #expect(call.prefix(2) == [.atom("erl_eval"), .atom("exprs")])
        #expect(
            call.last?.asList?.last
                == [.tuple([.atom("Configuration"), .binary(carried.encoded())])])
        #expect(try resolved(output(printed([]))).hook == nil)
    }

    @Test func `a function of a module can be written down`() throws {
        let export = Term.export(Export(module: "m", function: "f", arity: 1))
        #expect(
            try configuration([("handler", export)])
                == [.tuple([.atom("counter"), [.tuple([.atom("handler"), export])]])])
    }

    @Test func `paths into the staged folder become paths into the installed one`() throws {
        let moved = try configuration([
            ("binary", .binary("/srv/new/lib/counter-0.1.2/priv")),
            ("charlist", .charlist("/srv/new/tmp")), ("root", .binary("/srv/new")),
            ("other", .binary("/srv/newer/lib")), ("text", .binary("see /srv/new/lib")),
            (
                "nested",
                [
                    .tuple([
                        .atom("file"), .list([.binary("/srv/new/a")], tail: .binary("/srv/new/b")),
                    ])
                ]
            ),
            ("map", .map(TermMap([(key: .binary("/srv/new/k"), value: .binary("/srv/new/v"))]))),
            ("numbers", [.integer(300), .integer(-1)]), ("empty", .binary("")),
        ])
        let expected: [(Atom, Term)] = [
            ("binary", .binary("/srv/current/lib/counter-0.1.2/priv")),
            ("charlist", .charlist("/srv/current/tmp")), ("root", .binary("/srv/current")),
            ("other", .binary("/srv/newer/lib")), ("text", .binary("see /srv/new/lib")),
            (
                "nested",
                [
                    .tuple([
                        .atom("file"),
                        .list([.binary("/srv/current/a")], tail: .binary("/srv/current/b")),
                    ])
                ]
            ),
            (
                "map",
                .map(TermMap([(key: .binary("/srv/new/k"), value: .binary("/srv/current/v"))]))
            ),
            ("numbers", [.integer(300), .integer(-1)]), ("empty", .binary("")),
        ]
        #expect(
            moved == [
                .tuple([.atom("counter"), .list(expected.map { .tuple([.atom($0.0), $0.1]) })])
            ])
    }

    @Test func `the text is what file consult reads back`() throws {
        let environment: Term = [
            .tuple([
                .atom("counter"),
                [
                    .tuple([.atom("secret key"), .binary("\u{0}\u{1f600}\"\\")]),
                    .tuple([.atom("float"), .float(0.1)]),
                    .tuple([.atom("map"), .map(TermMap([(key: .atom("Elixir.A"), value: [])]))]),
                    .tuple([.atom("latin"), .charlist("é\n")]),
                    .tuple([.atom("export"), .export(Export(module: "m", function: "f", arity: 1))]
                    ),
                ],
            ])
        ]
        let configuration = try resolved(output(printed(environment)))
        #expect(try ErlangFile.terms(configuration.text) == [environment])
        #expect(configuration.text.starts(with: Array("%% coding: utf-8\n".utf8)))
    }
}
