package import Transport

/// A place where releases are published: a folder, or S3.
package protocol ReleaseStore: Sendable {
    /// The place that names the release to run: a path or an address, for people.
    var catalog: String { get }

    /// The release that should run; `nil` while none has been published.
    func current() async throws(StoreError) -> Release?

    /// Makes the release's package available as a local file. A store that must download it does so
    /// below `folder`, completely or not at all.
    /// - Parameter folder: exists, belongs to the caller, and is on the disk to deploy to.
    func package(
        of release: Release, into folder: String
    ) async throws(StoreError) -> LocalPackage

    /// Throws what ``package(of:into:)`` would at once, and fetches nothing.
    func requirePackage(of release: Release) async throws(StoreError)

    /// The package could not be unpacked. A store that keeps copies gets it anew with the next call.
    func discard(_ package: LocalPackage) async
}

/// For a store whose packages are local files.
extension ReleaseStore {
    package func requirePackage(of release: Release) async throws(StoreError) {
        _ = try await package(of: release, into: "")
    }

    package func discard(_ package: LocalPackage) async {}
}

/// A package as a local file.
package struct LocalPackage: Equatable, Sendable {
    package var path: String
    /// The users who may own it.
    package var owners: TrustedUsers
    /// The path of its signature, whether there is one or not.
    package var signaturePath: String

    /// The most bytes that a signature may have.
    package static let maximumSignatureByteCount = 16 << 10

    /// - Parameter signaturePath: without it, the signature lies beside the package.
    package init(
        path: String, owners: TrustedUsers = TrustedUsers(), signaturePath: String? = nil
    ) {
        self.path = path
        self.owners = owners
        self.signaturePath = signaturePath ?? Self.signaturePath(of: path)
    }

    /// Where the signature of a package lies: beside it.
    package static func signaturePath(of package: String) -> String { "\(package).minisig" }
}

/// Why a store could not be read. The running version is not touched, and the read is tried again.
package enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `current.json` is there but does not say what to deploy.
    case invalid(path: String, ReleaseError)
    case missingPackage(path: String)
    /// Public keys are configured, and the package has no signature there.
    case unsigned(address: String)
    /// A folder, a FIFO, a device, …
    case notAFile(path: String)
    /// Somebody who is not trusted can change what is published.
    case untrusted(PathTrustError)
    /// The system does not allow reading it.
    case unreadable(path: String, SystemError)
    /// A store on another host did not deliver it.
    case unavailable(address: String, reason: String)

    package var description: String {
        switch self {
        case .invalid(let path, let error):
            "\(path) cannot be used: \(error); publish it again, such as "
                + #"{"version":"1.0.0","hash":"local"}"#
        case .missingPackage(let path):
            "no package at \(path): copy it there, or publish another version"
        case .unsigned(let address):
            "the package is refused: it is not signed, and public keys are configured: there is no "
                + "\(address); sign it with `deployex sign`, and publish it again"
        case .notAFile(let path):
            "\(path) is not a regular file: replace it with one"
        case .untrusted(let error): error.description
        case .unreadable(let path, let error):
            "\(path) cannot be read: \(error); make it readable for deployex"
        case .unavailable(let address, let reason):
            "\(address) is not available: \(reason)"
        }
    }
}
