internal import COpenSSL

/// OpenSSL calls this for every certificate of a chain. OpenSSL's own verdict stands.
func certificateChecked(_ isAccepted: Int32, _ store: OpaquePointer?) -> Int32 {
    guard isAccepted != 1, let store,
        let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
        let opaque = SSL_get_ex_data(OpaquePointer(ssl), 0)
    else { return isAccepted }
    let engine = Unmanaged<TLSEngine>.fromOpaque(opaque).takeUnretainedValue()
    engine.refuse(X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store))
    return isAccepted
}

/// Like ``certificateChecked(_:_:)``, but a certificate is not refused if its revocation cannot be
/// checked: `{crl_check, best_effort}`.
func certificateCheckedWithFewLists(_ isAccepted: Int32, _ store: OpaquePointer?) -> Int32 {
    if isAccepted != 1, let store {
        switch X509_STORE_CTX_get_error(store) {
        case X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER,
            X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_CRL_NOT_YET_VALID:
            X509_STORE_CTX_set_error(store, X509_V_OK)
            return 1
        default: break
        }
    }
    return certificateChecked(isAccepted, store)
}

/// OpenSSL calls this when a server asks for a certificate and we have none.
func certificateWanted(
    _ ssl: OpaquePointer?, _: UnsafeMutablePointer<OpaquePointer?>?,
    _: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    if let ssl, let opaque = SSL_get_ex_data(ssl, 0) {
        Unmanaged<TLSEngine>.fromOpaque(opaque).takeUnretainedValue().lackCertificate()
    }
    // 0 tells the server that there is none.
    return 0
}

/// The BIO between OpenSSL and a ``TLSEngine``. It reads the engine's input in place, and appends
/// to the engine's outgoing bytes. OpenSSL's own memory BIO would copy all of them once more, and
/// would keep the memory of the largest burst as long as the connection lives.
enum EngineBIO {
    /// - Parameter engine: a ``TLSEngine``, which owns the BIO; so it is not retained.
    static func make(_ engine: UnsafeMutableRawPointer) -> OpaquePointer? {
        guard let method = method.pointer, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, engine)
        BIO_set_init(bio, 1)
        return bio
    }

    /// Made once and never changed afterwards.
    private struct Method: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static let method: Method = {
        let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = BIO_meth_new(type, "deployex engine") else {
            return Method(pointer: nil)
        }
        BIO_meth_set_read(method) { bio, buffer, length in
            guard let bio, let buffer, length > 0, let engine = engine(of: bio) else { return 0 }
            copenssl_bio_clear_retry(bio)
            let count = engine.read(
                into: UnsafeMutableRawBufferPointer(start: buffer, count: Int(length)))
            if count > 0 { return Int32(count) }
            // This is not the end: OpenSSL asks for more (SSL_ERROR_WANT_READ).
            copenssl_bio_set_retry_read(bio)
            return -1
        }
        BIO_meth_set_write(method) { bio, bytes, length in
            guard let bio, let bytes, length > 0, let engine = engine(of: bio) else { return 0 }
            copenssl_bio_clear_retry(bio)
            engine.write(UnsafeRawBufferPointer(start: bytes, count: Int(length)))
            return length
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
        return Method(pointer: method)
    }()

    private static func engine(of bio: OpaquePointer) -> TLSEngine? {
        guard let opaque = BIO_get_data(bio) else { return nil }
        return Unmanaged<TLSEngine>.fromOpaque(opaque).takeUnretainedValue()
    }
}
