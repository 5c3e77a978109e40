@testable import Dashboard

/// The patterns of searches in logs: what is matched does not depend on what was matched before,
/// and costs no more than the pattern's and the line's lengths allow.
enum PatternTarget {
    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        let pattern = String(decoding: input.bytes(Int(input.byte())), as: UTF8.self)
        let line = Array(String(decoding: input.rest, as: UTF8.self).utf8)[...]
        let program: LineProgram
        do throws(LinePatternError) {
            let parsed = try LinePattern(parsing: pattern, ignoringCase: flags & 1 == 1)
            program = try LineProgram(parsed)
        } catch {
            return
        }
        var matcher = LineMatcher(program)
        var forgetful = LineMatcher(program, stateLimit: 2)
        let isMatch = matcher.matches(line)
        try require(matcher.matches(line) == isMatch, "another result at the second time")
        try require(forgetful.matches(line) == isMatch, "another result with few states")
        let most = (2 * line.count + 4) * (3 * program.instructions.count + 4)
        try require(matcher.workCount <= most, "\(matcher.workCount) for \(line.count) bytes")
    }
}
