internal import Glibc

/// The versions of TLS that this program speaks, the older one first.
package enum TLSVersion: Int, Comparable, Hashable, Sendable, CaseIterable {
    case tls12 = 0x0303
    case tls13 = 0x0304

    package static func < (left: TLSVersion, right: TLSVersion) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What one side of a TLS connection shows and demands. It does not contain the role: a client and
/// a server each have their own value. ``TLSContext`` loads it.
package struct TLSConfiguration: Equatable, Sendable {
    /// The authorities that peers' certificates must come from.
    package enum Authorities: Equatable, Sendable {
        /// The certificates in these PEM files.
        case files([String])
        /// The authorities that the operating system trusts.
        case system
    }

    /// The name that a client expects of the server.
    package enum ServerName: Equatable, Sendable {
        /// The host that is connected to. It is sent as SNI unless it is an address, and it is
        /// checked.
        case peerHost
        /// This name instead of the host's. It is sent and checked.
        case fixed(String)
        /// No name is sent, and any name is accepted: `{server_name_indication, disable}`.
        case unchecked
    }

    /// Our certificate, followed by the intermediate ones, in PEM. A server must have one.
    package var certificateFile: String?
    /// The certificate's private key, in PEM; `nil` when it is in the certificate's file.
    package var keyFile: String?
    package var keyPassword: String?
    package var authorities = Authorities.files([])
    /// Whether the peer's certificate is checked at all. If it is not, TLS only keeps eavesdroppers
    /// out.
    package var verifiesPeer = true
    /// Whether a server turns away clients without a certificate. It applies only with
    /// ``verifiesPeer``.
    package var requiresPeerCertificate = true
    /// How many intermediate certificates may lie between the peer's and the authority's.
    package var maximumDepth = 10
    package var versions: ClosedRange<TLSVersion> = .tls12 ... .tls13
    /// TLS 1.2 ciphers, best first, by OpenSSL's or the RFCs' names; `nil` for OpenSSL's own
    /// choice.
    package var ciphers: [String]?
    /// TLS 1.3 suites, best first; `nil` for OpenSSL's own choice.
    package var suites: [String]?
    /// Whether a server's order of ciphers wins over the client's.
    package var prefersOwnCipherOrder = true
    package var serverName = ServerName.peerHost
    /// With `nil` certificates are not checked for revocation.
    package var revocation: RevocationCheck?
    /// The users who may own these files.
    package var fileOwners = TrustedUsers()

    package init() {}

    /// Every file that the configuration is loaded from, including the files that are in the folder
    /// of revocation lists now. It blocks.
    var files: [String] {
        var files = [certificateFile, keyFile].compactMap(\.self)
        if case .files(let more) = authorities { files += more }
        guard let revocation else { return files }
        files.append(revocation.folder)
        do throws(PathTrustError) {
            files += try revocation.files(owners: fileOwners)
        } catch {
            // Loading the lists reports why.
        }
        return files
    }
}

/// Why a ``TLSConfiguration`` cannot be used.
package enum TLSConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Which file is wrong. In errors it stands before the path.
    package enum File: String, Equatable, Sendable {
        case certificate
        case key = "private key"
        case authorities = "CA"
        case revocations = "revocation list"
    }

    case unreadable(File, path: String, reason: String)
    case tooLong(File, path: String)
    /// Users who are not trusted could have written the file, or could have read a secret in it.
    case untrusted(File, PathTrustError)
    /// The file contains no PEM of that kind, or it is broken.
    case invalid(File, path: String, reason: String)
    case wrongPassword(path: String)
    /// The key is encrypted, and there is no password.
    case missingPassword(path: String)
    case keyMismatch(certificate: String, key: String)
    case missingCertificate
    case unknownCipher(String)
    case invalidServerName(String)
    /// OpenSSL refused it; the text is OpenSSL's.
    case refused(String)

    package var description: String {
        switch self {
        case .unreadable(let file, let path, let reason):
            "the \(file.rawValue) file \(path) cannot be read: \(reason)"
        case .untrusted(let file, let error): "the \(file.rawValue) file: \(error)"
        case .tooLong(let file, let path):
            "the \(file.rawValue) file \(path) is longer than \(PEMFile.maximumByteCount) bytes"
        case .invalid(let file, let path, let reason):
            "the \(file.rawValue) file \(path) cannot be used: \(reason)"
        case .wrongPassword(let path): "the password of the private key file \(path) is wrong"
        case .missingPassword(let path):
            "the private key file \(path) is encrypted, and there is no password for it"
        case .keyMismatch(let certificate, let key):
            "the private key in \(key) does not belong to the certificate in \(certificate)"
        case .missingCertificate: "a TLS server needs a certificate file"
        case .unknownCipher(let name): "there is no cipher \"\(name)\""
        case .invalidServerName(let name): "\"\(name)\" cannot be the name of a TLS server"
        case .refused(let reason): "OpenSSL refused the TLS configuration: \(reason)"
        }
    }
}

extension TLSConfigurationError {
    init(_ error: PathTrustError, _ file: File, path: String) {
        switch error.reason {
        case .system(let reason):
            self = .unreadable(file, path: path, reason: SystemError.text(reason.code))
        case .untrusted(.notAFile(.folder)):
            self = .unreadable(file, path: path, reason: SystemError.text(EISDIR))
        case .untrusted, .link, .tooManyLinks: self = .untrusted(file, error)
        }
    }
}
