internal import Glibc
internal import Transport

/// The output of several programs, on its way to stdout: whole lines, each after the name of its
/// source.
struct LogLines {
    /// One program's stream.
    private struct Source {
        /// "counter-1 out | "
        var prefix: String
        var filter: TerminalFilter?
        /// A line whose end has not been written yet.
        var unfinished: [UInt8] = []
    }

    private var sources: [Source]

    /// A line that is longer is shown in parts.
    private static let maximumByteCount = 64 << 10

    /// - Parameters:
    ///   - names: whose streams they are; all get the same width.
    ///   - isForTerminal: whether the text is made safe, and colours end with their line.
    init(names: [String], isForTerminal: Bool) {
        let width = names.map(TextColumns.count).max() ?? 0
        sources = names.map { name in
            let space = String(repeating: " ", count: width - TextColumns.count(name))
            return Source(
                prefix: "\(SafeText.line(name))\(space) | ",
                filter: isForTerminal ? TerminalFilter() : nil)
        }
    }

    /// The lines that are complete with these bytes.
    mutating func take(_ bytes: [UInt8], from index: Int) -> [UInt8] {
        var output: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let room = Self.maximumByteCount - sources[index].unfinished.count
            let part = rest.prefix(room).prefix { $0 != Self.lineEnd }
            let isWhole = part.endIndex < rest.endIndex && rest[part.endIndex] == Self.lineEnd
            sources[index].unfinished += part
            rest = rest.dropFirst(part.count + (isWhole ? 1 : 0))
            if isWhole || sources[index].unfinished.count >= Self.maximumByteCount {
                output += line(of: index)
            }
        }
        return output
    }

    /// What is left of each source and lacks its line end.
    mutating func finish() -> [UInt8] {
        sources.indices.flatMap { sources[$0].unfinished.isEmpty ? [] : line(of: $0) }
    }

    private mutating func line(of index: Int) -> [UInt8] {
        let bytes = sources[index].unfinished
        sources[index].unfinished = []
        var text = bytes
        if var filter = sources[index].filter {
            // The line may end with CR LF.
            text = filter.pass(bytes.last == 0x0D ? Array(bytes.dropLast()) : bytes)
            text += filter.finish()
            // What a program colours and leaves so must not colour the next one's lines.
            if text.contains(0x1B) { text += Array("\u{1B}[0m".utf8) }
        }
        return Array(sources[index].prefix.utf8) + text + [Self.lineEnd]
    }

    private static let lineEnd = UInt8(ascii: "\n")
}
