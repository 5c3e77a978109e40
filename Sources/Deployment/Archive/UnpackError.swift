internal import Supervisor

/// Why a package was not unpacked. No part of it is left behind.
package struct UnpackError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path of the package.
    package var package: String
    package var reason: UnpackFailure

    package var description: String {
        switch reason {
        case .missing: "no package at \(package): copy it there, or publish another version"
        case .notAFile: "\(package) is not a regular file: replace it with the release's tar.gz"
        case .empty: "\(package) is empty: copy the release's tar.gz again"
        case .damaged(let error):
            "\(package) cannot be unpacked: \(error.text); copy the release's tar.gz again"
        case .malformed(let error):
            "\(package) cannot be unpacked: \(error.text); build the release again with tar or mix"
        case .refused(let entry, let violation):
            "\(package) is refused: `\(entry)` \(violation.text); build the release again without it"
        case .wrongPackage(let expected, let found):
            "\(package) is not the release that was published: expected \(expected), found "
                + "\(found); copy the right tar.gz there, or publish its version"
        case .wrongDigest(let expected, let found):
            "\(package) is refused: its sha256 is \(found), and current.json says \(expected); copy "
                + "the right package there, or publish it again"
        case .signature(let problem): "\(package) is refused: \(problem)"
        case .changed:
            "\(package) is refused: it was changed while it was unpacked; copy the right package there"
        case .system(let error): "unpacking \(package) failed (it is tried again): \(error)"
        case .cancelled: "unpacking \(package) was cancelled"
        }
    }

    /// Whether an error says that another copy of the package may be better.
    static func blamesPackage(_ error: any Error) -> Bool {
        guard let error = error as? UnpackError else { return false }
        switch error.reason {
        case .system, .cancelled: return false
        case .signature(.otherBytes): return true
        case .signature: return false
        default: return true
        }
    }
}
