/// Tells which lines a pattern matches.
///
/// It never goes back in a line. The sets of places where the ``LineProgram`` can be are kept as
/// states, each with the state after each byte, as far as they have been needed. So a byte costs a
/// look into a table, or at most one pass over the program, whatever the pattern and the line are.
package struct LineMatcher: Sendable {
    private struct State {
        /// The places, in order.
        var places: [Int32]
        /// The pattern matches whatever follows.
        var isMatch = false
        /// The pattern matches if the line ends here.
        var isMatchAtEnd = false
    }

    private let instructions: [LineProgram.Instruction]
    /// Bytes between which no instruction distinguishes have the same class.
    private let classOfByte: [UInt8]
    private let classCount: Int
    /// A byte of each class.
    private let byteOfClass: [UInt8]
    private let stateLimit: Int
    private var states: [State] = []
    /// The state after each class of byte; -1 where it is not known yet.
    private var transitions: [Int32] = []
    private var numberOfPlaces: [[Int32]: Int32] = [:]
    private var mark: [Int] = []
    private var markCount = 0
    private var stack: [Int32] = []
    /// How much has been done so far: one for each byte and for each instruction looked at.
    package private(set) var workCount = 0

    /// - Parameter stateLimit: the states that are kept. Beyond it, all are forgotten.
    package init(_ program: LineProgram, stateLimit: Int = 2_000) {
        precondition(stateLimit >= 2, "A step needs two states")
        instructions = program.instructions
        self.stateLimit = stateLimit
        var begins = [Bool](repeating: false, count: 257)
        begins[0] = true
        for case .byte(let range) in instructions {
            begins[Int(range.lowerBound)] = true
            begins[Int(range.upperBound) + 1] = true
        }
        var classes: [UInt8] = []
        var bytes: [UInt8] = []
        for byte in 0..<256 {
            if begins[byte] { bytes.append(UInt8(byte)) }
            classes.append(UInt8(bytes.count - 1))
        }
        classOfByte = classes
        byteOfClass = bytes
        classCount = bytes.count
        mark = [Int](repeating: 0, count: instructions.count)
        addFirst()
    }

    /// Whether the pattern matches somewhere in the line, which is UTF-8 without a line end.
    package mutating func matches(_ line: ArraySlice<UInt8>) -> Bool {
        var state = 0
        for byte in line {
            if states[state].isMatch { return true }
            workCount += 1
            let next = transitions[state * classCount + Int(classOfByte[Int(byte)])]
            state = next >= 0 ? Int(next) : step(from: state, by: byte)
        }
        return states[state].isMatch || states[state].isMatchAtEnd
    }

    /// The state at a line's begin, always number 0.
    private mutating func addFirst() {
        let places = closure(of: [0], isBegin: true, isEnd: false)
        _ = add(places, isBegin: true)
    }

    private mutating func step(from state: Int, by byte: UInt8) -> Int {
        var next: [Int32] = []
        for place in states[state].places {
            workCount += 1
            if case .byte(let range) = instructions[Int(place)], range.contains(byte) {
                next.append(place + 1)
            }
        }
        // The pattern may begin anywhere.
        next.append(0)
        let places = closure(of: next, isBegin: false, isEnd: false)
        if states.count >= stateLimit, numberOfPlaces[places] == nil {
            states = []
            transitions = []
            numberOfPlaces = [:]
            addFirst()
            return add(places, isBegin: false)
        }
        let number = numberOfPlaces[places].map { Int($0) } ?? add(places, isBegin: false)
        transitions[state * classCount + Int(classOfByte[Int(byte)])] = Int32(number)
        return number
    }

    private mutating func add(_ places: [Int32], isBegin: Bool) -> Int {
        let number = states.count
        var state = State(places: places)
        state.isMatch = isMatch(places)
        state.isMatchAtEnd =
            state.isMatch || isMatch(closure(of: places, isBegin: isBegin, isEnd: true))
        states.append(state)
        transitions += [Int32](repeating: -1, count: classCount)
        // The first state differs from another one of the same places: it is at a line's begin.
        if !isBegin { numberOfPlaces[places] = Int32(number) }
        return number
    }

    private func isMatch(_ places: [Int32]) -> Bool {
        places.contains { instructions[Int($0)] == .match }
    }

    /// The places that are reached without taking a byte. Only those count that take a byte, wait
    /// for the end, or match.
    private mutating func closure(of begin: [Int32], isBegin: Bool, isEnd: Bool) -> [Int32] {
        markCount += 1
        var found: [Int32] = []
        stack = begin
        while let place = stack.popLast() {
            guard mark[Int(place)] != markCount else { continue }
            mark[Int(place)] = markCount
            workCount += 1
            switch instructions[Int(place)] {
            case .byte, .match: found.append(place)
            case .split(let first, let second): stack += [Int32(second), Int32(first)]
            case .jump(let target): stack.append(Int32(target))
            case .lineBegin: if isBegin { stack.append(place + 1) }
            case .lineEnd:
                found.append(place)
                if isEnd { stack.append(place + 1) }
            }
        }
        return found.sorted()
    }
}
