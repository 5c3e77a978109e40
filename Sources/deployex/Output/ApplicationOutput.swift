internal import Glibc
internal import Transport

/// What an application printed, on its way to stdout. On a terminal it is made safe, with its
/// colours. It is unchanged for a file or a pipe, and where the user wants it raw.
struct ApplicationOutput {
    private var filter: TerminalFilter?

    init(isRaw: Bool = false) {
        filter = isRaw || isatty(STDOUT_FILENO) == 0 ? nil : TerminalFilter()
    }

    mutating func write(_ bytes: [UInt8]) {
        Output.bytes(filter?.pass(bytes) ?? bytes)
    }

    /// There is no more output.
    mutating func finish() {
        if let rest = filter?.finish() { Output.bytes(rest) }
    }
}
