/// Which causes were reported, so that each is told once however often it comes up.
///
/// A cause may hold what a peer has chosen, such as a length or a name. So one source has room for a few
/// causes only: who varies what it sends does not fill the log either.
struct ReportMemory {
    /// What to do with a report.
    enum Verdict: Equatable {
        case tell
        /// Tell it, and that it is the last one of its source.
        case tellAsLast
        case leaveOut
    }

    /// Causes of one source that are told.
    static let causesPerSource = 16
    /// Beyond so many sources everything is forgotten, and told anew.
    static let sources = 1024

    private var causes: [String: Set<String>] = [:]

    mutating func record(_ cause: String, of source: String) -> Verdict {
        if causes[source] == nil, causes.count >= Self.sources { causes = [:] }
        let told = causes[source, default: []]
        guard told.count < Self.causesPerSource, !told.contains(cause) else { return .leaveOut }
        causes[source, default: []].insert(cause)
        return told.count + 1 == Self.causesPerSource ? .tellAsLast : .tell
    }
}
