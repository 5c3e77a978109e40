internal import Transport

/// Why a package is not signed as it has to be.
package enum SignatureProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// There is no signature beside the package.
    case unsigned(path: String)
    /// It cannot be read, or others could have written it.
    case unreadable(String)
    case malformed(String)
    /// It is of the old kind, for which the whole file has to be in memory.
    case legacy
    /// The key that it names is none of those that may sign.
    case unknownKey(id: String, known: [String])
    /// The bytes are not those that were signed, or the signature is forged.
    case otherBytes(key: String)
    case otherComment(key: String)
    /// The trusted comment does not say of which release it is.
    case noRelease(comment: String)
    case otherRelease(signed: String, expected: String)
    case otherDigest(signed: String, found: String)
    case otherPreCommands(areSigned: Bool)
    case keys(PublicKeysFile.Failure)

    package var description: String {
        switch self {
        case .unsigned(let path):
            "it is not signed, and public keys are configured: there is no \(path); sign it with "
                + "`deployex sign`, and publish it again"
        case .unreadable(let text): "its signature cannot be read: \(text)"
        case .malformed(let text):
            "its signature is none of minisign's: \(text); sign it again with `deployex sign`"
        case .legacy:
            "its signature is a legacy one (Ed), as `minisign -l` makes it: sign it again without "
                + "-l, or with `deployex sign`"
        case .unknownKey(let id, let known):
            "its signature is by the key \(id), which is none of the public keys "
                + "\(known.joined(separator: ", ")): sign it with another key, or add this one to "
                + "the public keys"
        case .otherBytes(let key):
            "its bytes are not those that the key \(key) has signed: copy the right package and "
                + "signature there, or sign it again"
        case .otherComment(let key):
            "the trusted comment of its signature is not the one that the key \(key) has signed: "
                + "copy the right signature there, or sign it again"
        case .noRelease(let comment):
            "its signature does not say of which release it is: the trusted comment is "
                + "`\(Self.short(comment))`, not `app:APP version:VERSION sha256:DIGEST`; sign it "
                + "with `deployex sign`"
        case .otherRelease(let signed, let expected):
            "it is signed as \(signed), and not as \(expected): publish the package of \(expected)"
        case .otherDigest(let signed, let found):
            "its signature names the sha256 \(signed), and it has \(found): sign it again"
        case .otherPreCommands(let areSigned):
            areSigned
                ? "its signature is for other pre-commands than those of the release: publish it "
                    + "with those that it was signed with"
                : "its signature does not include the pre-commands of the release: sign it with "
                    + "`deployex sign --pre-command`"
        case .keys(let failure): "its signature cannot be checked: \(failure)"
        }
    }

    /// What anybody may have written.
    private static func short(_ comment: String) -> String {
        comment.count > 80 ? "\(comment.prefix(80))…" : comment
    }
}
