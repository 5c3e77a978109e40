internal import CLinux
internal import Glibc

/// Whether peers' certificates are checked for revocation, and where the revocation lists are.
///
/// The lists are PEM files in one folder. Their names are those that `openssl rehash` gives: the
/// hash of the issuer's name, `.r` and a number, such as `5b1c4b2f.r0`.
package struct RevocationCheck: Equatable, Sendable {
    /// Which certificates of a chain are checked. A certificate without a list of its issuer is
    /// refused, except with ``bestEffort``.
    package enum Scope: Equatable, Sendable {
        /// The peer's own certificate.
        case peer
        /// All certificates.
        case chain
        /// All certificates for which there is a list that is in date.
        case bestEffort
    }

    package var scope: Scope
    package var folder: String

    package init(scope: Scope, folder: String) {
        self.scope = scope
        self.folder = folder
    }

    /// More lists than any host needs.
    static let maximumFileCount = 1000

    /// The lists that exist now, sorted. It blocks.
    /// - Parameter owners: the users who may own the folder.
    func files(owners: TrustedUsers) throws(PathTrustError) -> [String] {
        let trust = PathTrust.files(of: owners)
        let walked = try trust.folder(folder)
        let raw = Glibc.openat(walked.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw PathTrustError(.last("listing \(folder)"), path: folder) }
        guard let stream = fdopendir(raw) else {
            let error = SystemError.last("listing \(folder)")
            close(raw)
            throw PathTrustError(error, path: folder)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream), names.count <= Self.maximumFileCount {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if Self.isListName(name) { names.append(name) }
        }
        return names.sorted().map { "\(folder)/\($0)" }
    }

    /// Source: openssl-rehash(1).
    static func isListName(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 8,
            parts[0].allSatisfy({ $0.isASCII && $0.isHexDigit }), parts[1].first == "r"
        else { return false }
        let number = parts[1].dropFirst()
        return !number.isEmpty && number.allSatisfy { $0.isASCII && $0.isNumber }
    }
}
