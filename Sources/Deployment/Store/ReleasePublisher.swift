/// A place to publish releases to: the other side of a ``ReleaseStore``.
///
/// A release is published in two steps: ``upload(_:of:signature:)``, then
/// ``swapCurrent(to:expecting:)``. Until the second one nobody sees anything of it.
package protocol ReleasePublisher: Sendable {
    /// The place that names the release to run: a path or an address, for people.
    var catalog: String { get }

    /// The SHA-256 of the package of that version that is there already, in lower-case hexadecimal
    /// digits; `nil` if there is none.
    func publishedSHA256(of release: Release) async throws(PublishError) -> String?

    /// The signature beside the package of that version that is there already, the content of the
    /// `.minisig` file; `nil` if there is none, or if it is not known.
    func publishedSignature(of release: Release) async throws(PublishError) -> [UInt8]?

    /// Puts a package, and beside it its signature, completely or not at all. Ones that are there
    /// are replaced, and a signature that is there goes if there is no new one.
    /// - Parameters:
    ///   - signature: the content of the `.minisig` file. It is there before the package is.
    ///   - progress: called now and then, on any thread, with the bytes that have been sent.
    func upload(
        _ package: UploadedPackage, of release: Release, signature: [UInt8]?,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws(PublishError)

    /// What `current.json` has now, and a token that names this content; `nil` if there is none.
    func readCurrent() async throws(PublishError) -> PublishedCurrent?

    /// Replaces `current.json` in one step, if its content is still the one with the token; if
    /// `token` is `nil`, if there still is none. Otherwise it throws ``PublishError/conflict(_:)``.
    func swapCurrent(to bytes: [UInt8], expecting token: String?) async throws(PublishError)
}

extension ReleasePublisher {
    /// It is not known: a signature is sent with its package each time.
    package func publishedSignature(of release: Release) async throws(PublishError) -> [UInt8]? {
        nil
    }
}

/// A package on this host that is to be published. Its digest has been computed, so that what
/// arrives can be compared with it.
package struct UploadedPackage: Equatable, Sendable {
    package var path: String
    package var byteCount: Int64
    /// In lower-case hexadecimal digits.
    package var sha256: String

    package init(path: String, byteCount: Int64, sha256: String) {
        self.path = path
        self.byteCount = byteCount
        self.sha256 = sha256
    }
}

/// The content of `current.json` at one moment.
package struct PublishedCurrent: Equatable, Sendable {
    package var bytes: [UInt8]
    /// An ETag, or whatever tells this content from another.
    package var token: String

    package init(bytes: [UInt8], token: String) {
        self.bytes = bytes
        self.token = token
    }
}

/// Why a release was not published.
package enum PublishError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Somebody else has published in the meantime; the text is the catalog.
    case conflict(String)
    /// The package was changed while it was copied.
    case changed(path: String)
    /// What is wrong where, and what helps.
    case failed(String)

    package var description: String {
        switch self {
        case .conflict(let catalog):
            "somebody else has published at \(catalog) in the meantime: look, and publish again"
        case .changed(let path):
            "\(path) was changed while it was being published: publish it again"
        case .failed(let text): text
        }
    }
}
