package import Supervisor

/// A log that can be read: one stream of one instance, or of deployex itself.
package struct LogSource: Hashable, Sendable {
    /// `nil` for deployex's own.
    package var instance: Int?
    package var stream: LogFiles.Stream
    package var path: String
    /// Who may own it.
    package var logs: LogFiles

    package init(instance: Int?, stream: LogFiles.Stream, path: String, logs: LogFiles) {
        self.instance = instance
        self.stream = stream
        self.path = path
        self.logs = logs
    }

    /// Its name in a cursor: `1o`, `2e`, `do`.
    var key: String { (instance.map { "\($0)" } ?? "d") + (stream == .stdout ? "o" : "e") }

    package static func == (left: LogSource, right: LogSource) -> Bool {
        left.path == right.path
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(path) }
}

/// A place in one log or in several, as text that a client gives back.
///
/// A place in one log is how many bytes were ever written before it, and the number of the file
/// that was written to then. So it stays the same place when the log is rotated, and it is noticed
/// when another log has the name. It also says what time it is there, for lines that say only a
/// time of day.
///
/// The text is `KEY.OFFSET.INODE.SECONDS` for each log, with numbers to the base of 36 and `~`
/// between logs. Clients need not know that.
package struct LogCursor: Equatable, Sendable {
    package struct Place: Equatable, Sendable {
        var key: String
        var position: LogPosition
        /// Seconds since 1970.
        var seconds: Int64
    }

    package var places: [Place]

    /// The most logs that are read together.
    package static let maximumCount = 64

    init(_ places: [Place]) {
        self.places = places
    }

    package init?(_ text: String) {
        places = []
        let parts = text.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count <= Self.maximumCount else { return nil }
        for part in parts {
            let fields = part.split(separator: ".", omittingEmptySubsequences: false)
            guard fields.count == 4, (2...8).contains(fields[0].utf8.count),
                fields.dropFirst().allSatisfy({ (1...13).contains($0.utf8.count) }),
                let offset = Int64(fields[1], radix: 36), offset >= 0,
                let inode = UInt64(fields[2], radix: 36),
                let seconds = Int64(fields[3], radix: 36), 0...Self.maximumSeconds ~= seconds
            else { return nil }
            let key = String(fields[0])
            guard !places.contains(where: { $0.key == key }) else { return nil }
            places.append(
                Place(
                    key: key, position: LogPosition(offset: offset, inode: inode),
                    seconds: seconds))
        }
    }

    private static let maximumSeconds: Int64 = 1 << 40

    package var text: String {
        places.map { place in
            [
                place.key, String(place.position.offset, radix: 36),
                String(place.position.inode, radix: 36),
                String(min(max(place.seconds, 0), Self.maximumSeconds), radix: 36),
            ].joined(separator: ".")
        }.joined(separator: "~")
    }

    func place(_ source: LogSource) -> Place? { places.first { $0.key == source.key } }
}
