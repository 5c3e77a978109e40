internal import Supervisor

/// Finds the last line that the process of an instance has printed: on stderr, or else on stdout.
/// Every call blocks.
struct LastWords: Sendable {
    /// Where the logs ended when the process was started or taken over, as far as that is known.
    typealias Starts = [LogFiles.Stream: Int64]

    var logs: LogFiles
    var name: InstanceName
    /// The last lines of a log.
    var tail: @Sendable (_ path: String, _ count: Int) throws -> [String]
    /// How many bytes were ever written to a log.
    var end: @Sendable (_ path: String) throws -> Int64

    /// Where the logs end now.
    func starts() -> Starts {
        var starts: Starts = [:]
        for stream in LogFiles.Stream.allCases {
            // Of a log that cannot be read nothing is quoted later.
            starts[stream] = try? end(logs.path(name, stream))
        }
        return starts
    }

    /// The last line since then. Of a log whose start is not known nothing is said: the line may be
    /// of an earlier process.
    func line(since starts: Starts) -> String? {
        for stream in [LogFiles.Stream.stderr, .stdout] {
            let path = logs.path(name, stream)
            // A log that cannot be read has no last line.
            guard let start = starts[stream], let now = try? end(path), now > start,
                let lines = try? tail(path, 5)
            else { continue }
            var left = now - start
            for line in lines.reversed() where left > 0 {
                if line.contains(where: { !$0.isWhitespace }) { return line }
                left -= Int64(line.utf8.count) + 1
            }
        }
        return nil
    }
}
