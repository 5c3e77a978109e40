internal import Glibc
internal import Transport

/// A signature in minisign's format: the content of a `.minisig` file.
///
/// It has two signatures: one of the file's BLAKE2b-512, and one of that signature and the trusted
/// comment together.
package struct MinisignSignature: Equatable, Sendable {
    /// Nobody has signed it.
    package var untrustedComment: String
    /// The number of the key.
    package var keyID: [UInt8]
    package var signature: [UInt8]
    package var trustedComment: String
    package var commentSignature: [UInt8]

    /// The most bytes that a `.minisig` file may have.
    package static let maximumByteCount = LocalPackage.maximumSignatureByteCount

    private static let byteCount = 2 + MinisignPublicKey.idByteCount + Ed25519.signatureByteCount

    /// - Throws: ``SignatureProblem/malformed(_:)`` or ``SignatureProblem/legacy``.
    package init(parsing bytes: [UInt8]) throws(SignatureProblem) {
        guard bytes.count <= Self.maximumByteCount else {
            throw .malformed("it has more than \(Self.maximumByteCount) bytes")
        }
        guard let lines = MinisignFile.lines(bytes) else { throw .malformed("it is no text") }
        guard lines.count == 4 else { throw .malformed("it has \(lines.count) lines, not 4") }
        guard lines[0].hasPrefix(MinisignFile.untrustedPrefix) else {
            throw .malformed("line 1 is no untrusted comment")
        }
        guard let signed = MinisignFile.bytes(lines[1], count: Self.byteCount) else {
            throw .malformed("line 2 is no signature")
        }
        guard lines[2].hasPrefix(MinisignFile.trustedPrefix) else {
            throw .malformed("line 3 is no trusted comment")
        }
        let last = MinisignFile.bytes(lines[3], count: Ed25519.signatureByteCount)
        guard let last else { throw .malformed("line 4 is no signature") }
        switch Array(signed.prefix(2)) {
        case MinisignFile.prehashedAlgorithm: break
        case MinisignFile.algorithm: throw .legacy
        default: throw .malformed("its algorithm is unknown")
        }
        untrustedComment = String(lines[0].dropFirst(MinisignFile.untrustedPrefix.count))
        keyID = Array(signed[2..<10])
        signature = Array(signed[10...])
        trustedComment = String(lines[2].dropFirst(MinisignFile.trustedPrefix.count))
        commentSignature = last
    }

    /// The signature in a file. It blocks.
    /// - Parameter owners: the users who may own it.
    static func read(
        _ path: String, owners: TrustedUsers
    ) throws(SignatureProblem) -> MinisignSignature {
        let bytes: [UInt8]
        do throws(TrustedFile.Failure) {
            bytes = try TrustedFile.read(
                path, as: .file, owners: owners, limit: maximumByteCount)
        } catch {
            if case .refused(let refusal) = error, refusal.isNotFound {
                throw .unsigned(path: path)
            }
            throw .unreadable("\(error)")
        }
        return try MinisignSignature(parsing: bytes)
    }

    /// The signature that lies beside a package of our own; `nil` if there is none. It blocks.
    package static func beside(_ package: String) throws(SignatureProblem) -> MinisignSignature? {
        let path = LocalPackage.signaturePath(of: package)
        let bytes: [UInt8]?
        do throws(SystemError) {
            bytes = try PackageSource.open(path).readAll(
                limit: maximumByteCount, "reading \(path)")
        } catch {
            if error.code == ENOENT { return nil }
            throw .unreadable("\(error)")
        }
        guard let bytes else { throw .malformed("it has more than \(maximumByteCount) bytes") }
        return try MinisignSignature(parsing: bytes)
    }

    init(
        untrustedComment: String, keyID: [UInt8], signature: [UInt8], trustedComment: String,
        commentSignature: [UInt8]
    ) {
        self.untrustedComment = untrustedComment
        self.keyID = keyID
        self.signature = signature
        self.trustedComment = trustedComment
        self.commentSignature = commentSignature
    }

    /// The content of the `.minisig` file.
    package var text: String {
        """
        \(MinisignFile.untrustedPrefix)\(untrustedComment)
        \(MinisignFile.text(MinisignFile.prehashedAlgorithm + keyID + signature))
        \(MinisignFile.trustedPrefix)\(trustedComment)
        \(MinisignFile.text(commentSignature))

        """
    }

    /// What the second signature signs.
    static func signedWithComment(_ signature: [UInt8], _ comment: String) -> [UInt8] {
        signature + Array(comment.utf8)
    }

    // MARK: Verification

    /// Throws unless one of the keys has signed these bytes as this release.
    /// - Parameters:
    ///   - blake2b512: the digest of the bytes.
    ///   - mayOmitPreCommands: see ``checkRelease(_:mayOmitPreCommands:)``.
    package func verify(
        _ blake2b512: [UInt8], as release: SignedRelease, by keys: [MinisignPublicKey],
        mayOmitPreCommands: Bool = false
    ) throws(SignatureProblem) {
        let named = keys.filter { $0.id == keyID }
        guard !named.isEmpty else {
            throw .unknownKey(
                id: MinisignFile.text(ofID: keyID), known: keys.map(\.description))
        }
        let signers = named.filter {
            Ed25519.isSignature(signature, of: blake2b512, by: $0.key)
        }
        guard !signers.isEmpty else { throw .otherBytes(key: MinisignFile.text(ofID: keyID)) }
        let whole = Self.signedWithComment(signature, trustedComment)
        guard
            signers.contains(where: {
                Ed25519.isSignature(commentSignature, of: whole, by: $0.key)
            })
        else { throw .otherComment(key: MinisignFile.text(ofID: keyID)) }
        try checkRelease(release, mayOmitPreCommands: mayOmitPreCommands)
    }

    /// Throws unless the trusted comment names this release. If the signature is not verified,
    /// anybody may have written it.
    /// - Parameter mayOmitPreCommands: whether the release may have none where some are signed:
    ///   then none is run. A version that an operator names has none.
    package func checkRelease(
        _ release: SignedRelease, mayOmitPreCommands: Bool = false
    ) throws(SignatureProblem) {
        guard let signed = SignedRelease(comment: trustedComment) else {
            throw .noRelease(comment: trustedComment)
        }
        guard signed.application == release.application, signed.version == release.version else {
            throw .otherRelease(
                signed: "\(signed.application) \(signed.version)",
                expected: "\(release.application) \(release.version)")
        }
        guard signed.sha256 == release.sha256 else {
            throw .otherDigest(signed: signed.sha256, found: release.sha256)
        }
        let isWithout = mayOmitPreCommands && release.preCommands == nil
        guard isWithout || signed.preCommands == release.preCommands else {
            throw .otherPreCommands(areSigned: signed.preCommands != nil)
        }
    }
}
