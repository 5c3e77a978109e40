/// What `/proc/PID/stat` says about a process. Source: proc_pid_stat(5).
package struct ProcessStatus: Equatable, Sendable {
    var pid: Int32
    /// Its program's name, at most 15 bytes; a program may change it.
    var name: String
    /// `R`, `S`, `D`, `Z`, …
    var state: UInt8
    var parent: Int32
    var session: Int32
    /// When it started, in clock ticks since the host booted.
    var startTicks: UInt64
    /// How much time of processors it has used, in clock ticks.
    var processorTicks: UInt64 = 0
    var residentPageCount = 0

    /// Whether the process has ended and only waits to be reaped.
    var isZombie: Bool {
        switch state {
        case UInt8(ascii: "Z"), UInt8(ascii: "X"), UInt8(ascii: "x"): true
        default: false
        }
    }
}

extension ProcessStatus {
    /// Parses the line; `nil` if it is malformed.
    ///
    /// The second field is the program's name in parentheses and may itself hold spaces,
    /// parentheses and line ends, so the fields are counted from the last `)`.
    init?(parsing bytes: some BidirectionalCollection<UInt8>) {
        guard
            let open = bytes.firstIndex(of: UInt8(ascii: "(")),
            let close = bytes.lastIndex(of: UInt8(ascii: ")")), open < close,
            let pid = Int32(Self.text(bytes[..<open]))
        else { return nil }
        let fields = bytes[bytes.index(after: close)...]
            .split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        // fields[0] is field 3 of the manual page.
        guard
            fields.count >= 20, fields[0].count == 1, let state = fields[0].first,
            let parent = Int32(Self.text(fields[1])), let session = Int32(Self.text(fields[3])),
            let startTicks = UInt64(Self.text(fields[19]))
        else { return nil }
        let name = String(decoding: bytes[bytes.index(after: open)..<close], as: UTF8.self)
        self.init(
            pid: pid, name: name, state: state, parent: parent, session: session,
            startTicks: startTicks,
            processorTicks: (UInt64(Self.text(fields[11])) ?? 0)
                &+ (UInt64(Self.text(fields[12])) ?? 0),
            residentPageCount: fields.count > 21 ? Int(Self.text(fields[21])) ?? 0 : 0)
    }

    private static func text(_ bytes: some BidirectionalCollection<UInt8>) -> String {
        var bytes = bytes[...]
        while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The process that has `pid` now, zombies included; `nil` when there is none.
    static func ofProcess(_ pid: Int32) -> ProcessStatus? {
        ProcFile.read("/proc/\(pid)/stat").flatMap { ProcessStatus(parsing: $0) }
    }

    /// All processes of the host, in no order. It blocks for some milliseconds.
    static func all() -> [ProcessStatus] {
        ProcFile.pids().compactMap { ofProcess($0) }
    }
}
