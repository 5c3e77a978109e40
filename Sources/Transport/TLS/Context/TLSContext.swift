internal import COpenSSL
internal import Glibc

/// A ``TLSConfiguration`` that has been loaded. The connections of one role are made from it.
///
/// Its files are checked before each new connection (``look()``; one stat(2) each). When one has
/// been replaced, such as a renewed certificate, all are loaded again, so that new connections need
/// no restart. Files that cannot be used, such as a certificate whose key has not been copied yet,
/// are reported once, and the old ones stay in use. Files that users who are not trusted could
/// change cannot be used either, nor can a key that they could read.
///
/// Sessions are not resumed, neither by tickets nor by a cache. A resumed connection would not show
/// its certificate again, so a certificate that has expired or been replaced would still be
/// trusted. Connections between nodes live long, so resumption would save next to nothing.
/// Renegotiation is off: TLS 1.3 has none, and in TLS 1.2 it lets a peer cause work for us.
package final class TLSContext: Sendable {
    package enum Role: Sendable, Equatable {
        case client, server
    }

    /// What an operator should know about a context.
    package enum Report: Equatable, Sendable, CustomStringConvertible {
        /// The files have changed and are in use for new connections.
        case reloaded
        /// A problem, as a sentence.
        case problem(String)

        package var description: String {
            switch self {
            case .reloaded: "The TLS files have changed and are in use for new connections"
            case .problem(let text): text
            }
        }
    }

    package let configuration: TLSConfiguration
    package let role: Role
    private let files: WatchedFiles
    private let shared: SharedLook

    /// Loads the files, on the calling thread.
    /// - Parameter report: hears, on any thread, that a certificate of ours has expired, and that
    ///   files have been reloaded or could not be.
    package init(
        _ configuration: TLSConfiguration, role: Role,
        report: @escaping @Sendable (Report) -> Void = { _ in }
    ) throws(TLSConfigurationError) {
        self.configuration = configuration
        self.role = role
        let files = try WatchedFiles(configuration, role, report)
        self.files = files
        shared = SharedLook { files.look() }
    }

    /// Checks the files, on another thread, and loads them again when one has changed. Call it
    /// before a new connection is made.
    package func look() async {
        await shared()
    }

    /// The engine of a new connection, with the files as they were at the last ``look()``.
    /// - Parameter host: the server's name, for a client; see ``TLSConfiguration/ServerName``.
    package func makeEngine(host: String? = nil) throws(TLSConfigurationError) -> TLSEngine {
        let loaded = files.loaded
        switch role {
        case .server: return try TLSEngine(loaded.pointer, .server)
        case .client:
            let name: String? =
                switch configuration.serverName {
                case .peerHost: host
                case .fixed(let name): name
                case .unchecked: nil
                }
            return try TLSEngine(loaded.pointer, .client(serverName: name))
        }
    }
}

/// The files of a ``TLSContext``, and what was last loaded from them.
private final class WatchedFiles: Sendable {
    private struct State {
        var loaded: SharedContext
        var stamps: [FileStamp]
    }

    private let configuration: TLSConfiguration
    private let role: TLSContext.Role
    private let report: @Sendable (TLSContext.Report) -> Void
    private let state: Guarded<State>

    init(
        _ configuration: TLSConfiguration, _ role: TLSContext.Role,
        _ report: @escaping @Sendable (TLSContext.Report) -> Void
    ) throws(TLSConfigurationError) {
        self.configuration = configuration
        self.role = role
        self.report = report
        // Take the stamps before loading: a change during the loading is then noticed next time.
        let stamps = configuration.files.map { FileStamp($0) }
        state = Guarded(
            State(loaded: try SharedContext(configuration, role, report), stamps: stamps))
    }

    var loaded: SharedContext { state.withLock { $0.loaded } }

    /// Loads the files again when one has changed. It blocks. Only one call may run at a time.
    func look() {
        let stamps = configuration.files.map { FileStamp($0) }
        let hasChanged = state.withLock { state in
            defer { state.stamps = stamps }
            // A failure is not tried again until something changes again.
            return state.stamps != stamps
        }
        guard hasChanged else { return }
        do throws(TLSConfigurationError) {
            let loaded = try SharedContext(configuration, role, report)
            state.withLock { $0.loaded = loaded }
            report(.reloaded)
        } catch {
            report(.problem("The changed TLS files are not used, the former ones are: \(error)"))
        }
    }
}

/// One `SSL_CTX`, shared by a ``TLSContext`` and whoever is making an engine from it.
///
/// The invariant behind `@unchecked Sendable`: the context is not changed after `init`, and OpenSSL
/// counts references to it atomically.
final class SharedContext: @unchecked Sendable {
    let pointer: OpaquePointer

    init(
        _ configuration: TLSConfiguration, _ role: TLSContext.Role,
        _ report: (TLSContext.Report) -> Void
    ) throws(TLSConfigurationError) {
        OpenSSLLibrary.initialize
        ERR_clear_error()
        let method = role == .server ? TLS_server_method() : TLS_client_method()
        guard let pointer = SSL_CTX_new(method) else {
            throw .refused(OpenSSLError.takeLast())
        }
        self.pointer = pointer
        // From here on deinit frees the pointer, even when this throws.
        copenssl_ctx_set_common(pointer, configuration.prefersOwnCipherOrder ? 1 : 0)
        try OpenSSLError.check(
            copenssl_ctx_set_versions(
                pointer, Int32(configuration.versions.lowerBound.rawValue),
                Int32(configuration.versions.upperBound.rawValue)))
        try TLSCipherList.apply(configuration, to: pointer)
        try loadAuthorities(configuration, role)
        try loadCertificate(configuration, role, report)
        if let revocation = configuration.revocation, configuration.verifiesPeer {
            try loadRevocations(revocation, configuration.fileOwners)
        }
        setVerification(configuration, role)
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    private func loadAuthorities(
        _ configuration: TLSConfiguration, _ role: TLSContext.Role
    ) throws(TLSConfigurationError) {
        guard case .files(let files) = configuration.authorities else {
            return try OpenSSLError.check(SSL_CTX_set_default_verify_paths(pointer))
        }
        let store = SSL_CTX_get_cert_store(pointer)
        for file in files {
            let certificates = try PEMFile(
                .authorities, file, owners: configuration.fileOwners
            ).certificates()
            for certificate in certificates {
                X509_STORE_add_cert(store, certificate)
                X509_free(certificate)
            }
        }
        // Peers are not told the names of these authorities. In TLS 1.3 a BEAM whose certificate is
        // from another one would then send none, and neither side would learn why it was refused.
    }

    private func loadCertificate(
        _ configuration: TLSConfiguration, _ role: TLSContext.Role,
        _ report: (TLSContext.Report) -> Void
    ) throws(TLSConfigurationError) {
        guard let file = configuration.certificateFile else {
            guard role == .client else { throw .missingCertificate }
            SSL_CTX_set_client_cert_cb(pointer, certificateWanted)
            return
        }
        let holdsKey = configuration.keyFile == nil || configuration.keyFile == file
        let owners = configuration.fileOwners
        let certificates = try PEMFile(
            .certificate, file, isSecret: holdsKey, owners: owners
        ).certificates()
        defer { for certificate in certificates { X509_free(certificate) } }
        guard let own = certificates.first, SSL_CTX_use_certificate(pointer, own) == 1 else {
            throw .invalid(.certificate, path: file, reason: OpenSSLError.takeLast())
        }
        for certificate in certificates.dropFirst() {
            guard X509_up_ref(certificate) == 1 else { continue }
            if copenssl_ctx_add_chain(pointer, certificate) != 1 { X509_free(certificate) }
        }
        let keyFile = configuration.keyFile ?? file
        let key = try PEMFile(.key, keyFile, isSecret: true, owners: owners).privateKey(
            password: configuration.keyPassword)
        defer { EVP_PKEY_free(key) }
        // We compare them ourselves, because SSL_CTX_use_PrivateKey() drops the certificate when
        // they differ.
        guard X509_check_private_key(own, key) == 1 else {
            ERR_clear_error()
            throw .keyMismatch(certificate: file, key: keyFile)
        }
        guard SSL_CTX_use_PrivateKey(pointer, key) == 1 else {
            throw .invalid(.key, path: keyFile, reason: OpenSSLError.takeLast())
        }
        if X509_cmp_current_time(X509_get0_notAfter(own)) < 0 {
            let date = TLSCertificate(own).notAfter
            report(.problem("The certificate in \(file) expired on \(date): peers will refuse it"))
        }
    }

    private func loadRevocations(
        _ check: RevocationCheck, _ owners: TrustedUsers
    ) throws(TLSConfigurationError) {
        let files: [String]
        do throws(PathTrustError) {
            files = try check.files(owners: owners)
        } catch {
            throw TLSConfigurationError(error, .revocations, path: check.folder)
        }
        guard files.count <= RevocationCheck.maximumFileCount else {
            throw .tooLong(.revocations, path: check.folder)
        }
        let store = SSL_CTX_get_cert_store(pointer)
        for file in files {
            for list in try PEMFile(.revocations, file, owners: owners).revocationLists() {
                X509_STORE_add_crl(store, list)
                X509_CRL_free(list)
            }
        }
        let flags = check.scope == .peer ? 0 : X509_V_FLAG_CRL_CHECK_ALL
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | flags))
    }

    private func setVerification(_ configuration: TLSConfiguration, _ role: TLSContext.Role) {
        var mode = SSL_VERIFY_PEER
        if role == .server, configuration.requiresPeerCertificate {
            mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        }
        if !configuration.verifiesPeer {
            SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
        } else if configuration.revocation?.scope == .bestEffort {
            SSL_CTX_set_verify(pointer, mode, certificateCheckedWithFewLists)
        } else {
            SSL_CTX_set_verify(pointer, mode, certificateChecked)
        }
        SSL_CTX_set_verify_depth(pointer, Int32(clamping: configuration.maximumDepth))
    }
}

/// OpenSSL's own state, which it would otherwise make at its first use.
enum OpenSSLLibrary {
    /// Without this, exit(3) would free that state while the event loop's thread still uses it.
    static let initialize: Void = {
        OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
    }()
}

/// The ciphers of a configuration, each set by its name.
enum TLSCipherList {
    static func apply(
        _ configuration: TLSConfiguration, to context: OpaquePointer
    ) throws(TLSConfigurationError) {
        if let names = configuration.ciphers {
            let list = try names.map { name throws(TLSConfigurationError) in
                try openSSLName(name, in: context)
            }
            try OpenSSLError.check(SSL_CTX_set_cipher_list(context, list.joined(separator: ":")))
        } else {
            try removeSHA1(from: context)
        }
        for suite in configuration.suites ?? [] {
            // OpenSSL would refuse a joined list as a whole, without saying which name is wrong.
            guard SSL_CTX_set_ciphersuites(context, suite) == 1 else {
                ERR_clear_error()
                throw .unknownCipher(suite)
            }
        }
        if let suites = configuration.suites {
            try OpenSSLError.check(SSL_CTX_set_ciphersuites(context, suites.joined(separator: ":")))
        }
    }

    /// Removes the TLS 1.2 ciphers that authenticate with SHA-1, all of which use CBC mode, from
    /// OpenSSL's own choice. What the system's policy has removed stays removed.
    private static func removeSHA1(from context: OpaquePointer) throws(TLSConfigurationError) {
        guard let list = SSL_CTX_get_ciphers(context) else { return }
        var names: [String] = []
        for index in 0..<copenssl_cipher_count(list) {
            guard let cipher = copenssl_cipher(list, index),
                let name = SSL_CIPHER_get_name(cipher).map({ String(cString: $0) }),
                SSL_CIPHER_get_digest_nid(cipher) != NID_sha1, !name.hasPrefix("TLS_")
            else { continue }
            names.append(name)
        }
        try OpenSSLError.check(SSL_CTX_set_cipher_list(context, names.joined(separator: ":")))
    }

    /// OpenSSL would skip names that it does not know, and would accept `aNULL` as a wish.
    private static func openSSLName(
        _ name: String, in context: OpaquePointer
    ) throws(TLSConfigurationError) -> String {
        let translated = OPENSSL_cipher_name(name).map { String(cString: $0) } ?? name
        let own = translated == "(NONE)" ? name : translated
        guard SSL_CTX_set_cipher_list(context, "ALL:!aNULL:!eNULL") == 1,
            let list = SSL_CTX_get_ciphers(context)
        else { throw .refused(OpenSSLError.takeLast()) }
        for index in 0..<copenssl_cipher_count(list) {
            guard let cipher = copenssl_cipher(list, index), let known = SSL_CIPHER_get_name(cipher)
            else { continue }
            if String(cString: known) == own { return own }
        }
        throw .unknownCipher(name)
    }
}
