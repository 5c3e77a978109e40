/// Why something is not done.
package struct DashboardRefusal: Error, Equatable {
    package enum Kind: Equatable, Sendable {
        /// The request cannot be understood.
        case malformed
        /// Whoever asks may not do that.
        case forbidden
        /// There is no such application, instance or version.
        case notFound
        /// It cannot be done in the present state.
        case conflict
        /// It was there, and is no longer, such as a place in a log.
        case gone
        /// Too many wait already, or deployex is ending.
        case unavailable
    }

    package var kind: Kind
    package var text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    /// The status of the answer.
    package var status: Int {
        switch kind {
        case .malformed: 400
        case .forbidden: 403
        case .notFound: 404
        case .conflict: 409
        case .gone: 410
        case .unavailable: 503
        }
    }
}
