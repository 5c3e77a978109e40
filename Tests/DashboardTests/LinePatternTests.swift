import TestKit
import Testing

@testable import Dashboard

@Suite(.timeLimit(.minutes(2))) struct LinePatternTests {
    private func matches(
        _ pattern: String, _ line: String, ignoringCase: Bool = false
    ) throws -> Bool {
        let parsed = try LinePattern(parsing: pattern, ignoringCase: ignoringCase)
        var matcher = LineMatcher(try LineProgram(parsed))
        return matcher.matches(Array(line.utf8)[...])
    }

    @Test(arguments: [
        ("", "", true), ("", "abc", true), ("b", "abc", true), ("d", "abc", false),
        ("^a", "abc", true), ("^b", "abc", false), ("c$", "abc", true), ("b$", "abc", false),
        ("^$", "", true), ("$^", "", true), ("^$", "a", false), ("a.c", "a\u{E9}c", true),
        ("^.$", "\u{E9}", true), ("^..$", "\u{E9}", false), ("^.$", "\u{1F600}", true),
        ("[\u{E0}-\u{EF}]", "caf\u{E9}", true), ("[^a-z]", "abc", false),
        ("^[^a]$", "\u{20AC}", true), ("a{3}", "aa", false), ("a{3}", "aaa", true),
        ("^a{2,3}$", "aaaa", false), ("^a{2,}$", "aaaa", true), ("(ab|cd)+e", "abcde", true),
        ("(?:ab|cd)+e", "abce", false), ("\\d+ms", "took 12ms", true), ("\\w\\s\\w", "a b", true),
        ("^\\W$", "\u{E9}", true), ("a\\.b", "axb", false), ("[]a]", "]", true),
        ("[a-]", "-", true), ("[\\]]", "]", true), ("x*?y", "xxy", true), ("}", "}", true),
        ("[^\\d]", "7", false), ("\\t", "\t", true), ("(|a)b", "b", true), ("()*x", "x", true),
        ("(a*)*b", "aaac", false), ("\u{D7FF}|\u{E000}", "\u{E000}", true),
        ("[\u{0}-\u{10FFFF}]", "\u{FFFF}", true), ("a|b$|^c", "xb", true),
    ])
    func `a pattern matches what it should`(_ pattern: String, _ line: String, _ wanted: Bool)
        throws
    {
        #expect(try matches(pattern, line) == wanted, "\(pattern) in \(line)")
    }

    @Test func `case is ignored where that is wanted`() throws {
        #expect(try matches("error", "An ERROR", ignoringCase: true))
        #expect(try !matches("error", "An ERROR"))
        #expect(try matches("[a-c]X", "Bx", ignoringCase: true))
        #expect(try matches("\u{C9}", "\u{E9}", ignoringCase: true))
        #expect(try !matches("[^a]", "A", ignoringCase: true))
        let literal = try LineProgram(LinePattern(literal: "a.(B", ignoringCase: true))
        for (line, wanted) in [("xA.(bx", true), ("xAx(bx", false)] {
            var matcher = LineMatcher(literal)
            let isMatch = matcher.matches(Array(line.utf8)[...])
            #expect(isMatch == wanted)
        }
    }

    @Test(arguments: [
        ("(", LinePatternError.endsTooEarly), ("a)", .unexpected(")", offset: 1)),
        ("*a", .unexpected("*", offset: 0)), ("a**", .unexpected("*", offset: 2)),
        ("[a", .endsTooEarly), ("[b-a]", .badRange(offset: 1)), ("a{2,1}", .badRange(offset: 2)),
        ("a{", .endsTooEarly), ("a{x}", .unexpected("x", offset: 2)), ("\\", .endsTooEarly),
        ("a{1001}", .badRange(offset: 2)), ("\\1", .unsupported("\\1", offset: 0)),
        ("(?=a)", .unsupported("a group with (? that is not (?:", offset: 0)),
        ("[[:alpha:]]", .unsupported("a named class", offset: 1)),
        ("[a-\\d]", .badRange(offset: 1)), ("a{99999999999999999999}", .badRange(offset: 2)),
    ])
    func `what is no pattern is refused, with its place`(
        _ pattern: String, _ error: LinePatternError
    ) {
        #expect(throws: error) { try LinePattern(parsing: pattern) }
    }

    @Test func `a pattern that is too large is refused`() throws {
        #expect(throws: LinePatternError.tooLong) {
            try LinePattern(parsing: String(repeating: "a", count: 1_001))
        }
        #expect(throws: LinePatternError.tooDeep(offset: 50)) {
            try LinePattern(parsing: String(repeating: "(", count: 500))
        }
        #expect(throws: LinePatternError.tooLarge) {
            try LineProgram(LinePattern(parsing: "(((a{1000}){1000}){1000}){1000}"))
        }
    }

    @Test(arguments: ["((((()%)%)%)%)%", "(((((a{0})%)%)%)%)%", "((((((^)?)%)%)%)%)%"])
    func `repeating what is empty costs nothing`(pattern: String) throws {
        let pattern = pattern.replacing("%", with: "{1000}")
        do {
            _ = try LineProgram(LinePattern(parsing: pattern))
        } catch LinePatternError.tooLarge {
        }
    }

    @Test func `the work is proportional to the line, whatever the pattern`() throws {
        // A backtracking engine needs 2 to the power of the length for these.
        for pattern in ["(a*)*b", "(a|aa)+$", "(a?){30}a{30}b", "(x+x+)+y", "((a{0,20}){0,20})c"] {
            let program = try LineProgram(LinePattern(parsing: pattern))
            for letter in ["a", "x"] {
                let line = Array(String(repeating: letter, count: 5_000).utf8)[...]
                var matcher = LineMatcher(program)
                _ = matcher.matches(line)
                let once = matcher.workCount
                #expect(once < 5_000 + 3 * 5_000 * LineProgram.maximumCount)
                _ = matcher.matches(line)
                #expect(matcher.workCount - once <= 5_000, "\(pattern): nothing is looked at again")
            }
        }
    }

    // MARK: Against another engine

    /// A random pattern of the subset, over the letters a and b.
    private func pattern(_ random: inout SeededRandom, depth: Int) -> String {
        let atom: String
        switch Int.random(in: 0..<(depth > 0 ? 11 : 7), using: &random) {
        case 0, 1: atom = "a"
        case 2, 3: atom = "b"
        case 4: atom = "."
        case 5: atom = ["[ab]", "[^a]", "[b-c]", "\\w"].randomElement(using: &random) ?? ""
        case 6: return ["^", "$"].randomElement(using: &random) ?? ""
        case 7: atom = "(?:\(pattern(&random, depth: depth - 1)))"
        case 8: atom = "(\(pattern(&random, depth: depth - 1)))"
        case 9:
            return "(?:\(pattern(&random, depth: depth - 1))|\(pattern(&random, depth: depth - 1)))"
        default: return pattern(&random, depth: depth - 1) + pattern(&random, depth: depth - 1)
        }
        let repetitions = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}"]
        return atom + (repetitions.randomElement(using: &random) ?? "")
    }

    @Test(arguments: 0..<6)
    func `random patterns match as with the standard library's engine`(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        var lines = [""]
        for length in 1...4 {
            for number in 0..<(1 << length) {
                lines.append(
                    String((0..<length).map { number >> $0 & 1 == 0 ? Character("a") : "b" }))
            }
        }
        lines += ["c", "ac", "ca", "bcb"]
        var matchCount = 0
        for _ in 0..<200 {
            let text = pattern(&random, depth: 3)
            let reference = try Regex(text).matchingSemantics(.unicodeScalar)
            let program = try LineProgram(LinePattern(parsing: text))
            var matcher = LineMatcher(program)
            var forgetful = LineMatcher(program, stateLimit: 2)
            for line in lines {
                let wanted = line.firstMatch(of: reference) != nil
                let bytes = Array(line.utf8)[...]
                let found = [matcher.matches(bytes), forgetful.matches(bytes)]
                #expect(found == [wanted, wanted], "\(text) in \"\(line)\"")
                matchCount += wanted ? 1 : 0
            }
        }
        // Neither all nor none.
        #expect((500...6_500).contains(matchCount))
    }

    @Test func `every scalar is in exactly one of a set and its inversion`() throws {
        var random = SeededRandom(seed: 7)
        let edges: [UInt32] = [
            0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF,
        ]
        let scalars =
            edges.compactMap { Unicode.Scalar($0) }
            + (0..<300).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &random))
            }
        for _ in 0..<60 {
            var set = ScalarSet()
            var ranges: [ClosedRange<Unicode.Scalar>] = []
            for _ in 0..<3 {
                let ends = [scalars, scalars].compactMap { $0.randomElement(using: &random) }
                    .sorted()
                ranges.append(ends[0]...ends[1])
                set.insert(ends[0]...ends[1], ignoringCase: false)
            }
            var inside = LineMatcher(try LineProgram(.sequence([.scalars(set), .lineEnd])))
            var outside = LineMatcher(
                try LineProgram(.sequence([.lineBegin, .scalars(set.inverted), .lineEnd])))
            for scalar in scalars {
                let isIn = ranges.contains { $0.contains(scalar) }
                let bytes = Array(String(scalar).utf8)[...]
                let found = [inside.matches(bytes), outside.matches(bytes)]
                #expect(found == [isIn, !isIn], "\(scalar.value) in \(ranges)")
            }
        }
    }
}
