/// A ``LinePattern`` as instructions of a machine that is in several places at once.
///
/// Source: Ken Thompson, "Regular Expression Search Algorithm", 1968. It reads UTF-8 byte by byte.
package struct LineProgram: Equatable, Sendable {
    enum Instruction: Equatable {
        /// Takes a byte, and goes on with the next instruction.
        case byte(ClosedRange<UInt8>)
        /// Goes on at both.
        case split(Int, Int)
        case jump(Int)
        case lineBegin
        case lineEnd
        case match
    }

    private(set) var instructions: [Instruction] = []

    /// The most instructions.
    package static let maximumCount = 3_000

    package init(_ pattern: LinePattern) throws(LinePatternError) {
        try append(pattern)
        try append(.match)
    }

    private mutating func append(_ instruction: Instruction) throws(LinePatternError) {
        guard instructions.count < Self.maximumCount else { throw .tooLarge }
        instructions.append(instruction)
    }

    private mutating func append(_ pattern: LinePattern) throws(LinePatternError) {
        switch pattern {
        case .empty: break
        case .lineBegin: try append(Instruction.lineBegin)
        case .lineEnd: try append(Instruction.lineEnd)
        case .scalars(let set): try append(bytesOf: set)
        case .sequence(let elements): for element in elements { try append(element) }
        case .choice(let alternatives):
            try append(alternatives: alternatives) {
                program, alternative throws(LinePatternError) in
                try program.append(alternative)
            }
        case .repeated(let element, let minimum, let maximum):
            try append(element, minimum, maximum)
        }
    }

    private mutating func append(bytesOf set: ScalarSet) throws(LinePatternError) {
        let sequences = UTF8Ranges(set).sequences
        guard !sequences.isEmpty else {
            // It has no character: a byte that UTF-8 never has.
            return try append(.byte(0xFF...0xFF))
        }
        try append(alternatives: sequences) { program, sequence throws(LinePatternError) in
            for range in sequence { try program.append(.byte(range)) }
        }
    }

    private mutating func append<Alternative>(
        alternatives: [Alternative],
        _ body: (inout LineProgram, Alternative) throws(LinePatternError) -> Void
    ) throws(LinePatternError) {
        var jumps: [Int] = []
        for (index, alternative) in alternatives.enumerated() {
            guard index < alternatives.count - 1 else {
                try body(&self, alternative)
                break
            }
            let split = instructions.count
            try append(.split(split + 1, 0))
            try body(&self, alternative)
            jumps.append(instructions.count)
            try append(.jump(0))
            instructions[split] = .split(split + 1, instructions.count)
        }
        for jump in jumps { instructions[jump] = .jump(instructions.count) }
    }

    private mutating func append(
        _ element: LinePattern, _ minimum: Int, _ maximum: Int?
    ) throws(LinePatternError) {
        for _ in 0..<minimum {
            let before = instructions.count
            try append(element)
            // What has no instructions has none the next time either: repeating it would take time
            // that the limit on instructions does not see.
            if instructions.count == before { break }
        }
        guard let maximum else {
            let split = instructions.count
            try append(.split(split + 1, 0))
            try append(element)
            try append(.jump(split))
            instructions[split] = .split(split + 1, instructions.count)
            return
        }
        var splits: [Int] = []
        for _ in minimum..<max(maximum, minimum) {
            splits.append(instructions.count)
            try append(.split(instructions.count + 1, 0))
            try append(element)
        }
        for split in splits { instructions[split] = .split(split + 1, instructions.count) }
    }
}
