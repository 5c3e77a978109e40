/// Tells that deployex's own certificates are about to expire, each once. It does no I/O and reads
/// no clock. It is kept on disk, so that a restart of deployex tells nothing twice.
package struct CertificateWatch: Equatable, Codable, Sendable {
    package static let currentFormat = 1
    /// A certificate with more than that left, or more than a third of its life, is no news: one
    /// that is good for a day is renewed every day.
    package static let noticeSeconds: Int64 = 14 * 86_400

    package enum Stage: Int, Codable, Sendable, Comparable {
        case good, expiring, expired

        package static func < (one: Stage, other: Stage) -> Bool { one.rawValue < other.rawValue }
    }

    private struct Told: Equatable, Codable, Sendable {
        var stage: Stage
        var expiry: Int64
    }

    package private(set) var format = currentFormat
    /// What was told of, by the certificate's file.
    private var told: [String: Told] = [:]

    package init() {}

    /// - Parameter begin: since when it is good; this and the others in seconds since 1970.
    package static func stage(begin: Int64, expiry: Int64, now: Int64) -> Stage {
        let left = expiry - now
        if left <= 0 { return .expired }
        return left < noticeSeconds && left < (expiry - begin) / 3 ? .expiring : .good
    }

    /// Takes note of what is in a certificate's file.
    /// - Parameters:
    ///   - begin: since when the certificate is good, in seconds since 1970.
    ///   - end: its expiry, for people.
    package mutating func looked(
        at file: String, begin: Int64, expiry: Int64, _ end: String, host: String, now: Int64
    ) -> NotificationEvent? {
        let stage = Self.stage(begin: begin, expiry: expiry, now: now)
        let before = told[file]
        let isSame = before?.expiry == expiry
        let kind: NotificationEvent.Kind
        if stage == .good {
            guard before != nil else { return nil }
            told[file] = nil
            kind = .certificateRenewed
        } else {
            guard !isSame || stage > before?.stage ?? .good else { return nil }
            told[file] = Told(stage: stage, expiry: expiry)
            kind = .certificateExpiring
        }
        return NotificationEvent(
            kind, host: host, subject: "certificate/\(file)", mark: "\(expiry) \(stage.rawValue)",
            at: now, reason: "\(file), until \(end)")
    }

    /// Forgets the files that are not used any more.
    package mutating func keep(_ files: [String]) {
        told = told.filter { files.contains($0.key) }
    }
}
