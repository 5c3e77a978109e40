import Glibc
import Testing

/// The Erlang/OTP that the peers of this run are.
///
/// The environment variable DEPLOYEX_OTP names it; without it, and with 25, it is the one on the PATH.
/// Each other one is a Debian of its own in a folder, which `scripts/setup-otp.sh` makes; its programs
/// run there by `chroot`, which only root may do. Ports, and so EPMD too, are those of this host; of its
/// files they see only the ``SharedFolder``s.
enum OTPRelease: String, CaseIterable {
    case host = "25"
    case otp27 = "27"
    case otp29 = "29"

    /// What this run is for, or why its tests cannot run.
    static let choice: Result<OTPRelease, OTPReleaseError> = {
        guard let name = variable("DEPLOYEX_OTP"), !name.isEmpty else { return .success(.host) }
        guard let release = OTPRelease(rawValue: name) else {
            return .failure(OTPReleaseError("DEPLOYEX_OTP is \(name), not one of 25, 27 and 29"))
        }
        guard let root = release.root else { return .success(release) }
        guard access(root + "/usr/bin/erl", F_OK) == 0 else {
            return .failure(
                OTPReleaseError(
                    "OTP \(name): there is none in \(root); scripts/setup-otp.sh \(name) makes it"))
        }
        guard geteuid() == 0 else {
            return .failure(
                OTPReleaseError("OTP \(name): its programs run by chroot, which needs root"))
        }
        return .success(release)
    }()

    static var current: OTPRelease {
        switch choice {
        case .success(let release): release
        case .failure: .host
        }
    }

    /// The number of the release of this run's peers, as they say it.
    static let number = Task {
        let text = try await ErlangProcess.run(
            script: #"io:format("~s", [erlang:system_info(otp_release)]), halt()."#)
        guard let number = Int(text) else {
            throw OTPReleaseError("erl says that it is of release \(text)")
        }
        return number
    }

    /// The folder that its programs take for `/`, or `nil` for the host's own.
    var root: String? {
        switch self {
        case .host: nil
        case .otp27, .otp29: Self.roots + "/" + rawValue
        }
    }

    /// What starts `words`, a program and its arguments, there. The process that this becomes is the
    /// program's: its pid is the one to signal.
    func command(_ words: [String]) -> [String] {
        guard let root, let program = words.first else { return words }
        let path = program.hasPrefix("/") ? program : "/usr/bin/" + program
        return ["/usr/sbin/chroot", root, path] + words.dropFirst()
    }

    /// The environment of such a program: a home that exists there.
    func environment(_ variables: [String: String]) -> [String: String] {
        guard root != nil else { return variables }
        var variables = variables
        variables["HOME"] = "/root"
        variables["PATH"] = "/usr/local/bin:/usr/bin:/bin"
        return variables
    }

    /// The folder of the folders that `scripts/setup-otp.sh` makes.
    private static let roots: String = {
        if let roots = variable("DEPLOYEX_OTP_ROOTS"), !roots.isEmpty { return roots }
        let tests = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/" + tests + "/.otp"
    }()

    static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

/// Why there is nothing to test against.
struct OTPReleaseError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a suite, with the reason, when the OTP that it is for is not there.
    static var ifOTPIsThere: ConditionTrait {
        switch OTPRelease.choice {
        case .success: .enabled(if: true)
        case .failure(let reason): .disabled("\(reason.description)")
        }
    }
}

@Suite(.ifOTPIsThere) struct OTPReleaseTests {
    @Test func `the peers are of the release that was asked for`() async throws {
        let number = try await OTPRelease.number.value
        switch OTPRelease.current {
        case .host: #expect(number >= 25)
        case .otp27, .otp29: #expect("\(number)" == OTPRelease.current.rawValue)
        }
    }
}
