import ExternalTermFormat
import TestKit
import Testing

/// The codec and the text syntax against a real Erlang, one process for a batch of terms.
@Suite(.ifOTPIsThere, .serialized) struct TermInteropTests {
    @Test func `what Swift encodes Erlang decodes and encodes to the same bytes`() async throws {
        var generator = TermGenerator(random: SeededRandom(seed: 1))
        let terms = (0..<4000).map { generator.term(depth: $0 % 6) }
        let folder = try SharedFolder()
        try folder.write(TermPeer.frames(terms.map { $0.encoded() }), to: "in")
        try await TermPeer.run("echo", in: folder)
        let echoes = TermPeer.contents(folder.read("out"))

        try #require(echoes.count == terms.count)
        let release = try await OTPRelease.number.value
        for (term, echo) in zip(terms, echoes) {
            let kept = term.asKept(by: release)
            #expect(try Term(decoding: echo) == kept, "\(term)")
            // Later releases encode every port in the form for large ids.
            if kept.largestMapCount >= 0 || (release > 25 && kept.hasPort) { continue }
            #expect(echo == kept.encoded(), "\(term)")
        }
    }

    @Test func `Erlang reads what Swift compressed`() async throws {
        let terms: [Term] = [
            .binary([UInt8](repeating: 7, count: 100_000)),
            .list((0..<20_000).map { .integer($0 % 300) }), .tuple([.atom("too_short_to_shrink")]),
        ]
        let folder = try SharedFolder()
        try folder.write(TermPeer.frames(terms.map { $0.encoded(compressed: 6) }), to: "in")
        try await TermPeer.run("echo", in: folder)
        #expect(TermPeer.contents(folder.read("out")) == terms.map { $0.encoded() })
    }

    @Test func `what Erlang encodes and prints Swift encodes and prints alike, and reads back`()
        async throws
    {
        let folder = try SharedFolder()
        try await TermPeer.run("generate", in: folder)
        let frames = TermPeer.contents(folder.read("out"))

        try #require(frames.count == 8000)
        for index in stride(from: 0, to: frames.count, by: 2) {
            let term = try Term(decoding: frames[index])
            let text = String(decoding: frames[index + 1], as: UTF8.self)
            #expect(term.encoded() == frames[index], "\(text)")
            // Erlang prints a map of more than 32 pairs in another order than it encodes it.
            if term.largestMapCount > 32 { continue }
            #expect(
                term.description.unicodeScalars.elementsEqual(text.unicodeScalars),
                "\(text)\n\(term)")
            #expect(try Term(text: text) == term, "\(text)")
        }
    }

    @Test func `what Swift prints Erlang consults and Swift reads`() async throws {
        var generator = TermGenerator(random: SeededRandom(seed: 2), onlyText: true)
        let terms = (0..<4000).map { generator.term(depth: $0 % 6) }
        let text = terms.map { "\($0.description).\n" }.joined()
        let folder = try SharedFolder()
        try folder.write(Array(text.utf8), to: "in")
        try await TermPeer.run("consult", in: folder)
        let consulted = try TermPeer.contents(folder.read("out")).map { try Term(decoding: $0) }

        try #require(consulted.count == terms.count)
        for (term, read) in zip(terms, consulted) { #expect(read == term) }
        #expect(try Term.consult(text) == terms)
    }

    @Test func `words that only some releases take for keywords are read as the atoms they are`()
        async throws
    {
        let words: [Term] = [
            "after", "and", "when", "maybe", "else", "cond", "let", "record", "native", "nil",
        ].map { .atom(Atom(shortEnough: $0)) }
        let text = words.map { "{\($0.description), \($0.description)}.\n" }.joined()
        let folder = try SharedFolder()
        try folder.write(Array(text.utf8), to: "in")
        try await TermPeer.run("consult", in: folder)
        let consulted = try TermPeer.contents(folder.read("out")).map { try Term(decoding: $0) }
        #expect(consulted == words.map { .tuple([$0, $0]) })
        #expect(try Term.consult(text) == consulted)
    }

    @Test func `Swift and Erlang agree on which mutilated texts are terms, and on their values`()
        async throws
    {
        var generator = TermGenerator(random: SeededRandom(seed: 3), onlyText: true)
        let texts = (0..<10000).map { index in
            TextMutation.mutate(
                index % 4 == 0
                    ? generator.term(depth: 2).description
                    : TextMutation.samples[index % TextMutation.samples.count],
                using: &generator.random)
        }
        #expect(try await agreements(on: texts) > 1000)
    }

    @Test func `Swift and Erlang agree on the syntax of terms, and of binaries with any segments`()
        async throws
    {
        var random = SeededRandom(seed: 4)
        let texts = TextSamples.all + TextSamples.binaries(10_000, using: &random)
        #expect(try await agreements(on: texts) > 2000)
    }

    /// How many of the texts are terms. The two agree on which, and on their values.
    private func agreements(on texts: [String]) async throws -> Int {
        let folder = try SharedFolder()
        try folder.write(TermPeer.frames(texts.map { Array($0.utf8) }), to: "in")
        try await TermPeer.run("parse", in: folder)
        let verdicts = try TermPeer.contents(folder.read("out")).map { try Term(decoding: $0) }

        try #require(verdicts.count == texts.count)
        let release = try await OTPRelease.number.value
        var agreements = 0
        for (text, verdict) in zip(texts, verdicts) {
            var own: Term?
            do throws(TextError) {
                own = try Term(text: text + "\n.\n")
            } catch {
                // Refused here, because the releases disagree on what it means.
                if error.reason == .zeroKeys { continue }
            }
            let accepted = own.map { Term.tuple([.atom(.ok), $0]) } ?? .atom(.error)
            if accepted != .atom(.error) { agreements += 1 }
            // What a release up to 26 wrote stays readable here.
            if release >= 27, verdict == .atom(.error), text.isRefusedFromOTP27 { continue }
            #expect(accepted == verdict, "\(text.debugDescription)")
        }
        return agreements
    }
}

extension Term {
    /// The term that a real node has after decoding this one. From OTP 27 on it is always `init` of a node
    /// without a name that has made a fun.
    func asKept(by release: Int) -> Term {
        guard release >= 27 else { return self }
        func kept(_ terms: some Collection<Term>) -> [Term] { terms.map { $0.asKept(by: release) } }
        switch self {
        case .fun(let fun):
            return .fun(
                Fun(
                    arity: fun.arity, uniq: fun.uniq, index: fun.index, module: fun.module,
                    oldIndex: fun.oldIndex, oldUniq: fun.oldUniq,
                    pid: PID(node: "nonode@nohost", id: 0, serial: 0, creation: 0),
                    freeVariables: kept(fun.freeVariables)))
        case .tuple(let elements): return .tuple(kept(elements))
        case .list(let elements): return .list(kept(elements))
        case .improperList(let elements, let tail):
            return .list(kept(elements), tail: tail.asKept(by: release))
        case .map(var map):
            map.pairs = map.pairs.map {
                (key: $0.key.asKept(by: release), value: $0.value.asKept(by: release))
            }
            return .map(map)
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .pid, .port, .reference,
            .record, .export:
            return self
        }
    }

    var hasPort: Bool {
        switch self {
        case .port: true
        case .tuple(let elements): elements.contains { $0.hasPort }
        case .list(let elements): elements.contains { $0.hasPort }
        case .improperList(let elements, let tail): tail.hasPort || elements.contains { $0.hasPort }
        case .map(let map): map.pairs.contains { $0.key.hasPort || $0.value.hasPort }
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .pid, .reference, .record,
            .fun, .export:
            false
        }
    }
}

extension String {
    /// Whether there is something in it that OTP 27 refuses, and those before it read: two strings
    /// without a space between them, or a control character that no terminal has.
    var isRefusedFromOTP27: Bool {
        if contains("\"\"") { return true }
        let controls = Set("@[\\]^_?".unicodeScalars)
        return unicodeScalars.indices.contains { index in
            guard unicodeScalars[index...].starts(with: "\\^".unicodeScalars),
                let scalar = unicodeScalars[index...].dropFirst(2).first
            else { return false }
            return !controls.contains(scalar) && !("a"..."z").contains(scalar)
                && !("A"..."Z").contains(scalar)
        }
    }
}

/// Small damage to texts.
enum TextMutation {
    static let samples = [
        #"{application, my_app, [{vsn, "1.0"}, {mods, []}]}"#, "[a, 'B c' | tail]",
        "#{key => 1.5e-3, \"k\" => <<1, 2:4/little, \"text\"/utf8, 1.5:32/float>>}",
        "{$a, $\\n, 16#ff, 1_000, -1, + 2, 2#101}", "fun lists:map/2",
        #""str\x{41}\101\^a" "more" % comment"#,
        "<<16#ffff:3/unit:8-little, (-1):12, <<1:3>>/bits>>",
    ]

    static func mutate(_ text: String, using random: inout SeededRandom) -> String {
        var scalars = Array(text.unicodeScalars)
        let spare = Array(
            "0123456789abxuZ_@'\"\\$#{}[]()<>,|=>:/-+.% \n\u{e9}\u{430}".unicodeScalars)
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let position = Int.random(in: 0...scalars.count, using: &random)
            let replacement = spare[Int.random(in: 0..<spare.count, using: &random)]
            switch Int.random(in: 0..<4, using: &random) {
            case 0: scalars.insert(replacement, at: position)
            case 1 where position < scalars.count: scalars.remove(at: position)
            case 2 where position < scalars.count: scalars[position] = replacement
            default: scalars = Array(scalars[..<position])
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
