internal import COpenSSL
internal import Glibc

/// A file from which a ``TLSContext`` is made.
struct PEMFile: ~Copyable {
    static let maximumByteCount = 4 << 20

    let kind: TLSConfigurationError.File
    let path: String
    private let contents: FileContents
    private var bytes: UnsafeRawBufferPointer { contents.bytes }

    /// - Parameters:
    ///   - isSecret: whether the file contains a key.
    ///   - owners: the users who may own it.
    init(
        _ kind: TLSConfigurationError.File, _ path: String, isSecret: Bool = false,
        owners: TrustedUsers
    ) throws(TLSConfigurationError) {
        self.kind = kind
        self.path = path
        do throws(TrustedFile.Failure) {
            contents = try FileContents(
                path, as: isSecret ? .secret : .file, owners: owners,
                maximumByteCount: Self.maximumByteCount)
        } catch {
            switch error {
            case .tooLarge: throw .tooLong(kind, path: path)
            case .refused(let error): throw TLSConfigurationError(error, kind, path: path)
            }
        }
    }

    /// The certificates in the file, in order; at least one. The caller frees them.
    func certificates() throws(TLSConfigurationError) -> [OpaquePointer] {
        try all("certificate", { PEM_read_bio_X509($0, nil, noPassword, nil) }, X509_free)
    }

    /// The revocation lists in the file; at least one. The caller frees them.
    func revocationLists() throws(TLSConfigurationError) -> [OpaquePointer] {
        try all(
            "revocation list", { PEM_read_bio_X509_CRL($0, nil, noPassword, nil) }, X509_CRL_free)
    }

    private func all(
        _ what: String, _ read: (OpaquePointer) -> OpaquePointer?,
        _ free: (OpaquePointer?) -> Void
    ) throws(TLSConfigurationError) -> [OpaquePointer] {
        guard let bio = memoryBIO() else { throw .refused(OpenSSLError.takeLast()) }
        defer { BIO_free(bio) }
        var found: [OpaquePointer] = []
        ERR_clear_error()
        while let next = read(bio) { found.append(next) }
        let code = ERR_peek_last_error()
        ERR_clear_error()
        let isEnd = Self.isEnd(code)
        guard isEnd, !found.isEmpty else {
            for one in found { free(one) }
            throw .invalid(
                kind, path: path,
                reason: isEnd ? "it holds no PEM \(what)" : OpenSSLError.text(code))
        }
        return found
    }

    /// The private key in the file, an `EVP_PKEY *`. The caller frees it.
    func privateKey(password: String?) throws(TLSConfigurationError) -> OpaquePointer {
        guard let bio = memoryBIO() else { throw .refused(OpenSSLError.takeLast()) }
        defer { BIO_free(bio) }
        ERR_clear_error()
        var request = PasswordRequest(password: Array((password ?? "").utf8))
        let key = withUnsafeMutablePointer(to: &request) { request in
            PEM_read_bio_PrivateKey(bio, nil, givePassword, request)
        }
        if let key { return key }
        let code = ERR_peek_error()
        ERR_clear_error()
        if request.wasAsked {
            throw password == nil ? .missingPassword(path: path) : .wrongPassword(path: path)
        }
        // If OpenSSL does not recognise the content, it only says "unsupported".
        let isMissing = !String(decoding: bytes, as: UTF8.self).contains("PRIVATE KEY-----")
        throw .invalid(
            kind, path: path,
            reason: isMissing ? "it holds no PEM private key" : OpenSSLError.text(code))
    }

    /// "no start line" means the end of the file.
    private static func isEnd(_ code: UInt) -> Bool {
        copenssl_error_library(code) == ERR_LIB_PEM
            && copenssl_error_reason(code) == PEM_R_NO_START_LINE
    }

    private func memoryBIO() -> OpaquePointer? {
        BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
    }
}

private struct PasswordRequest {
    var password: [UInt8]
    var wasAsked = false
}

/// OpenSSL's own callback would ask for the password on the terminal.
private func noPassword(
    _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 {
    -1
}

private func givePassword(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _: Int32,
    _ opaque: UnsafeMutableRawPointer?
) -> Int32 {
    guard let buffer, let opaque else { return -1 }
    let request = opaque.assumingMemoryBound(to: PasswordRequest.self)
    request.pointee.wasAsked = true
    let password = request.pointee.password
    guard password.count <= Int(size) else { return -1 }
    for (index, byte) in password.enumerated() { buffer[index] = CChar(bitPattern: byte) }
    return Int32(password.count)
}

/// Shows whether a file has since been replaced or written, or has got another owner or other
/// permissions.
struct FileStamp: Equatable, Sendable {
    private var device: UInt64 = 0
    private var inode: UInt64 = 0
    private var size: Int64 = 0
    private var seconds = 0
    private var nanoseconds = 0
    private var owner: UInt32 = 0
    private var group: UInt32 = 0
    /// The permission bits.
    private var mode: UInt32 = 0

    /// All zeros when there is no such file.
    init(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
        owner = status.st_uid
        group = status.st_gid
        mode = UInt32(status.st_mode) & 0o7777
    }
}
