/// The cookie that `deployex start` takes, and where it comes from, as far as that matters for what
/// the log says.
struct StartCookie: Equatable, Sendable {
    enum Origin: Equatable, Sendable {
        /// Somebody has given it.
        case given
        /// An earlier deployex has left it.
        case recorded
        /// There was none.
        case made
        /// The earlier deployex's cannot be read, for this reason; this one is none to start with.
        case unreadable(String)
    }

    var text: String
    var origin: Origin

    /// - Parameters:
    ///   - file: the cookie's file, as the configuration names it.
    ///   - left: what the last deployex has left.
    init(
        _ options: DistributionOptions, _ environment: [String: String], file: String?,
        left: NodeRecord.Finding
    ) throws(UsageError) {
        func look(_ recorded: String?) throws(UsageError) -> String {
            try Cookie.lookFor(options, environment: environment, file: file, recorded: recorded)
                ?? ""
        }
        // No cookie is empty: without one that is given, what is said to be recorded comes back.
        let given = try look("")
        switch left {
        case _ where !given.isEmpty: (text, origin) = (given, .given)
        case .found(let record): (text, origin) = (record.cookie, .recorded)
        // Instances may run that have the cookie which cannot be read.
        case .refused(let reason): (text, origin) = (Cookie.random(), .unreadable(reason))
        case .absent:
            let own = try look(nil)
            (text, origin) = own.isEmpty ? (Cookie.random(), .made) : (own, .given)
        }
    }
}
