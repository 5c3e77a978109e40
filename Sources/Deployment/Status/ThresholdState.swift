internal import ExternalTermFormat

/// The state of one of an instance's thresholds.
package struct ThresholdState: TermDocument {
    package enum Level: String, Comparable, Sendable {
        case ok, warn, restart

        private var rank: Int {
            switch self {
            case .ok: 0
            case .warn: 1
            case .restart: 2
            }
        }

        package static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
    }

    /// What is watched: see ``ThresholdKind``.
    package var name: String?
    package var percent: Double?
    /// One of ``Level``.
    package var level: String?
    /// How often it was crossed, and how often the instance was restarted for it, since deployex
    /// began.
    package var warnings: Int?
    package var restarts: Int?

    package static let empty = ThresholdState()

    package static var fields: [TermField<ThresholdState>] {
        [
            TermField("name", \.name), TermField("percent", \.percent),
            TermField("level", \.level), TermField("warnings", \.warnings),
            TermField("restarts", \.restarts),
        ]
    }
}
