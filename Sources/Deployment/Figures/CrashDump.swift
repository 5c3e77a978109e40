package import ExternalTermFormat

/// What a node left when it crashed: the gist of an `erl_crash.dump`.
package struct CrashDump: Equatable, Sendable {
    package struct Process: Equatable, Sendable {
        package var pid: String
        package var name: String?
        package var state = ""
        package var spawnedAs = ""
        package var currentFunction = ""
        package var memoryByteCount = 0
        package var queueLength = 0
        package var reductions = 0
    }

    package var slogan = ""
    /// As the node wrote it, in the time of its host.
    package var date = ""
    package var systemVersion = ""
    package var atomCount: Int?
    /// Bytes by kind, in the order of the dump.
    package var memory: [(kind: String, byteCount: Int)] = []
    package var processCount = 0
    /// Those with most memory, and those with the longest queues, the largest first.
    package var largest: [Process] = []
    package var busiest: [Process] = []
    /// Whether the dump was written to its end, and was read to it.
    package var isComplete = false

    package static func == (left: CrashDump, right: CrashDump) -> Bool { left.term == right.term }
}

/// Reads a crash dump piece by piece. Lines that are long, as those of heaps are, and sections that
/// tell nothing here are passed over.
///
/// Source: "How to Interpret the Erlang Crash Dumps", erts; `erl_crash_dump:0.3` and later.
package struct CrashDumpReader: Sendable {
    private enum Section: Equatable, Sendable {
        case none, header, memory, process, other
    }

    private var section = Section.none
    private var line: [UInt8] = []
    private var lineNumber = 0
    private var isSloganOpen = false
    private var process: CrashDump.Process?
    private var dump = CrashDump()

    /// The most of a line that is kept, and of a slogan.
    private static let lineLimit = 1024
    private static let sloganLimit = 8192
    /// How many processes are kept by each measure.
    static let processLimit = 30
    private static let memoryKindLimit = 32

    package init() {}

    /// Whether these bytes are no crash dump.
    package var isForeign: Bool { section == .none && lineNumber > 0 }

    package mutating func read(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0A) {
            append(rest[..<end])
            lineEnded()
            rest = rest[(end + 1)...]
        }
        append(rest)
    }

    /// - Returns: `nil` if it was no crash dump.
    package mutating func finish() -> CrashDump? {
        if !line.isEmpty { lineEnded() }
        processEnded()
        return section == .none ? nil : dump
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        line += bytes.prefix(max(Self.lineLimit - line.count, 0))
    }

    private mutating func lineEnded() {
        defer { line.removeAll(keepingCapacity: true) }
        lineNumber += 1
        if line.first == UInt8(ascii: "=") { return sectionBegins() }
        switch section {
        case .none, .other: return
        case .header: readHeader(text)
        case .memory: readMemory(text)
        case .process: readProcess(text)
        }
    }

    private var text: String { String(decoding: line, as: UTF8.self) }

    private mutating func sectionBegins() {
        processEnded()
        isSloganOpen = false
        let text = text
        let name = text.dropFirst().prefix { $0 != ":" }
        switch name {
        case "erl_crash_dump" where lineNumber == 1: section = .header
        case _ where section == .none: break
        case "memory": section = .memory
        case "proc":
            section = .process
            process = CrashDump.Process(pid: String(text.dropFirst(6).prefix(64)))
        case "end":
            section = .other
            dump.isComplete = true
        default: section = .other
        }
    }

    /// A line `Name: value`.
    private static func pair(_ text: String) -> (name: Substring, value: Substring)? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        return (text[..<colon], text[text.index(after: colon)...].drop { $0 == " " })
    }

    private mutating func readHeader(_ text: String) {
        if lineNumber == 2 {
            dump.date = text
            return
        }
        switch Self.pair(text) {
        case ("Slogan", let value)?:
            dump.slogan = String(value)
            isSloganOpen = true
        case ("System version", let value)?:
            dump.systemVersion = String(value)
            isSloganOpen = false
        case ("Atoms", let value)?: dump.atomCount = Int(value)
        case _ where isSloganOpen:
            // A slogan may have several lines.
            guard dump.slogan.utf8.count < Self.sloganLimit else { return }
            dump.slogan += "\n" + text
        default: return
        }
    }

    private mutating func readMemory(_ text: String) {
        guard dump.memory.count < Self.memoryKindLimit, let (name, value) = Self.pair(text),
            let count = Int(value)
        else { return }
        dump.memory.append((String(name), count))
    }

    private mutating func readProcess(_ text: String) {
        guard let (name, value) = Self.pair(text) else { return }
        switch name {
        case "State": process?.state = String(value)
        case "Name": process?.name = String(value)
        case "Spawned as": process?.spawnedAs = String(value)
        case "Message queue length": process?.queueLength = Int(value) ?? 0
        case "Reductions": process?.reductions = Int(value) ?? 0
        case "Memory": process?.memoryByteCount = Int(value) ?? 0
        case "Program counter":
            // "0x00007f344de085bc (init:boot_loop/2 + 92)"
            let inner = value.drop { $0 != "(" }.dropFirst().prefix { $0 != ")" }
            process?.currentFunction = String(inner.prefix { $0 != " " })
        default: return
        }
    }

    private mutating func processEnded() {
        guard let process else { return }
        self.process = nil
        dump.processCount += 1
        Self.keep(process, in: &dump.largest) { $0.memoryByteCount }
        if process.queueLength > 0 {
            Self.keep(process, in: &dump.busiest) { $0.queueLength }
        }
    }

    private static func keep(
        _ process: CrashDump.Process, in list: inout [CrashDump.Process],
        by measure: (CrashDump.Process) -> Int
    ) {
        if list.count == processLimit {
            guard let last = list.last, measure(process) > measure(last) else { return }
            list.removeLast()
        }
        let place = list.firstIndex { measure($0) < measure(process) } ?? list.count
        list.insert(process, at: place)
    }
}

extension CrashDump {
    package var term: Term {
        var object = TermObject()
        object.add("slogan", slogan)
        object.add("date", date)
        object.add("system_version", systemVersion)
        object.add("atoms", atomCount)
        object.add("memory", memoryTerm)
        object.add("process_count", processCount)
        object.add("processes", largest.map(\.term))
        object.add("busiest", busiest.map(\.term))
        object.add("complete", isComplete)
        return object.term
    }

    /// The same kind twice, which no node writes, is kept once.
    private var memoryTerm: Term {
        var seen: Set<String> = []
        let pairs = memory.filter { seen.insert($0.kind).inserted }
        return .map(TermMap(pairs.map { (key: .binary($0.kind), value: .integer($0.byteCount)) }))
    }
}

extension CrashDump.Process {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("pid", pid)
        object.add("name", name)
        object.add("state", state)
        object.add("spawned_as", spawnedAs)
        object.add("current_function", currentFunction)
        object.add("memory", memoryByteCount)
        object.add("queue", queueLength)
        object.add("reductions", reductions)
        return object.term
    }
}
