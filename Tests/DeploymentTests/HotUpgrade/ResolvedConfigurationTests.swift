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
        .tuple([.binary(root), environment])
    }

    private func configuration(
        _ pairs: [(Atom, Term)], root: String = "/srv/new"
    ) throws(FileSystemError) -> Term {
        let environment = Term.list(pairs.map { .tuple([.atom($0.0), $0.1]) })
        return try ResolvedConfiguration(
            output: output(printed([.tuple([.atom("counter"), environment])], root: root)),
            root: "/srv/current"
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
            try ResolvedConfiguration(output: bytes, root: "/srv/current").applications
                == environment)
    }

    @Test(arguments: [
        "", "deployex-configuration:", "deployex-configuration:g2gC!",
        "deployex-configuration:AAAA",
        "deployex-configuration:g2o=", "nothing here", "deployex-configuration:g2Ft=",
    ])
    func `what is no configuration is refused`(text: String) {
        #expect(throws: FileSystemError.self) {
            try ResolvedConfiguration(output: Array(text.utf8), root: "/srv/current")
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
            try ResolvedConfiguration(output: output(printed(term)), root: "/srv/current")
        }
    }

    @Test func `a value that no file can hold is refused by the name of its key`() {
        let pid = PID(node: "a@b", id: 1, serial: 0, creation: 1)
        let fun = Fun(
            arity: 1, uniq: Array(repeating: 0, count: 16), index: 0, module: "m", oldIndex: 0,
            oldUniq: 0, pid: pid, freeVariables: [])
        let values: [Term] = [
            .pid(pid), .port(Port(node: "a@b", id: 1, creation: 1)),
            .reference(Reference(node: "a@b", creation: 1, words: [1, 2, 3])), .fun(fun),
            [.tuple([.atom("match_fun"), .map(TermMap([(key: .atom("k"), value: .fun(fun))]))])],
            .list([.integer(1)], tail: .pid(pid)), .map(TermMap([(key: .pid(pid), value: [])])),
        ]
        for value in values {
            #expect(
                throws: FileSystemError.unusable(
                    "counter.handler holds a pid, reference, port or local function, which no file can hold"
                )
            ) {
                _ = try configuration([("port", .integer(1)), ("handler", value)])
            }
        }
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
        let configuration = try ResolvedConfiguration(
            output: output(printed(environment)), root: "/srv/current")
        #expect(try ErlangFile.terms(configuration.text) == [environment])
        #expect(configuration.text.starts(with: Array("%% coding: utf-8\n".utf8)))
    }
}
