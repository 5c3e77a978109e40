internal import Transport

/// Logs what an operator should know about a node, within a ``ReportBudget``. It belongs to its
/// node's isolation.
final class NodeLog {
    var handler: (@Sendable (LogLevel, String) -> Void)?
    private let loop: EventLoop
    private var budget: ReportBudget

    init(loop: EventLoop, limits: ReportBudget.Limits) {
        self.loop = loop
        budget = ReportBudget(limits: limits)
    }

    /// Logs `text` about what a peer has caused, if there is room for it.
    /// - Parameters:
    ///   - cause: the same cause is not logged again soon; `nil` when each time counts.
    ///   - source: whom the line is counted for. A peer must not be able to vary it, as it can vary
    ///     its name.
    func report(
        _ level: LogLevel, cause: String?, of source: some CustomStringConvertible,
        _ text: @autoclosure () -> String
    ) {
        guard let handler else { return }
        switch budget.record(cause, of: source.description, now: .now) {
        case .tell:
            // A peer may have chosen a part of it.
            handler(level, String(decoding: text().utf8.prefix(1000), as: UTF8.self))
        case .leaveOut(let time?):
            loop.schedule(at: time) { [weak self] in self?.tellWhatWasLeftOut() }
        case .known, .leaveOut(nil): return
        }
    }

    private func tellWhatWasLeftOut() {
        let count = budget.takeSummary()
        if count > 0 { handler?(.warning, "\(count) more lines about peers were left out") }
    }
}
