internal import ExternalTermFormat

/// One phase of a rollout, and how long it took or has taken.
package struct RolloutStep: TermDocument {
    /// A ``RolloutPhase``.
    package var phase: String?
    package var seconds: Double?

    package static let empty = RolloutStep()

    package static var fields: [TermField<RolloutStep>] {
        [TermField("phase", \.phase), TermField("seconds", \.seconds)]
    }
}

extension RolloutStep {
    init(phase: String, milliseconds: Int64) {
        self.init(phase: phase, seconds: (Double(milliseconds) / 100).rounded() / 10)
    }
}
