/// Whether a staged release can be upgraded to in place, or has to be deployed in full.
///
/// As in Deployex, a hot upgrade needs an appup that leads from exactly the running version to the
/// staged one. If `release_handler` would have to restart the emulator, it is a full deployment,
/// too.
package enum UpgradeDecision: Equatable, Sendable {
    case hotUpgrade(from: String, to: String)
    case fullDeployment(reason: Reason)

    package enum Reason: Equatable, Sendable {
        /// The application is always deployed in full.
        case off
        case runningVersionUnknown
        case notConnected
        /// This host's rules on cryptography leave it out.
        case withoutMD5
        case sameVersion(String)
        /// No `lib/NAME-*/ebin/*.appup`, or several: their paths in the package.
        case notOneAppup(paths: [String])
        /// The only appup, or a `jellyfish.json`, is about other versions.
        case noMatchingVersions
        /// A file that the decision needs is missing, damaged, too long or too deep.
        case unreadable(path: String, reason: String)
        /// `include_erts: false`: the package does not contain the emulator.
        case withoutERTS
        case otherERTS(running: String, staged: String)
        /// Elixir, or another application that only a restart of the emulator replaces.
        case otherApplication(name: String, running: String, staged: String)
        /// An application, most often a library, has another version and no appup.
        case withoutAppup(name: String, running: String, staged: String)
        /// `:sasl`, whose `release_handler` installs releases, is not part of the running release.
        case withoutSASL
        /// The package brings a relup that restarts the emulator.
        case emulatorRestart
        /// `env.sh` or `vm.args` has changed, which only a start reads.
        case changedSetting(String)
        /// A protocol, consolidated by mix, has changed: no application and no appup has it.
        case changedProtocol(String)
        /// A file of an application has changed, and the application's version has not: the node
        /// would keep what it has. The path is within the package.
        case changedFile(String)
        /// No appup leads to the package, and deployex writes no relup.
        case noRelup(RelupRefusal)
    }

    /// Whether the release that runs in `current` can be upgraded to version `version` in `staged`.
    static func between(
        _ from: String, in current: ReleaseContents, and version: String,
        in staged: StagedUpgrade, mode: HotUpgrade.Mode = .appup
    ) -> UpgradeDecision {
        var reason: Reason?
        if mode != .auto {
            reason = staged.appups.obstacle(from: from, to: version, in: current, staged)
        }
        reason = reason ?? obstacle(between: current, and: staged)
        if mode != .auto { reason = reason ?? missingAppup(between: current, and: staged) }
        reason = reason ?? (staged.relupRestartsEmulator ? .emulatorRestart : nil)
        guard let reason else { return .hotUpgrade(from: from, to: version) }
        return .fullDeployment(reason: reason)
    }

    /// Applications whose code cannot be exchanged in a running emulator, or has no appup to do it.
    /// Source: `systools_relup`, SASL, for the three of OTP.
    private static let unexchangeable = ["elixir", "kernel", "stdlib", "sasl"]

    private static func obstacle(
        between current: ReleaseContents, and upgrade: StagedUpgrade
    ) -> Reason? {
        let staged = upgrade.contents
        guard staged.includesERTS, current.includesERTS else { return .withoutERTS }
        guard current.ertsVersion == staged.ertsVersion else {
            return .otherERTS(running: current.ertsVersion, staged: staged.ertsVersion)
        }
        guard current.version(of: "sasl") != nil else { return .withoutSASL }
        for name in unexchangeable {
            let (old, new) = (current.version(of: name), staged.version(of: name))
            guard old == new else {
                return .otherApplication(
                    name: name, running: old ?? "none", staged: new ?? "none")
            }
        }
        return nil
    }

    /// An application whose code cannot be exchanged for want of an appup. One that is new or gone
    /// needs none.
    private static func missingAppup(
        between current: ReleaseContents, and upgrade: StagedUpgrade
    ) -> Reason? {
        for new in upgrade.contents.applications {
            guard let old = current.version(of: new.name), old != new.version else { continue }
            guard upgrade.upgradableApplications.contains(new.name) else {
                return .withoutAppup(name: new.name, running: old, staged: new.version)
            }
        }
        return nil
    }

    /// Whether appups lead from the one release to the other, so that `systools` makes the relup.
    static func appupsLead(
        from: String, in current: ReleaseContents, to version: String, in staged: StagedUpgrade
    ) -> Bool {
        staged.appups.obstacle(from: from, to: version, in: current, staged) == nil
            && missingAppup(between: current, and: staged) == nil
    }
}

extension UpgradeDecision {
    /// The line for the log: a warning, as users of Deployex know it.
    package var logLine: String {
        switch self {
        case .hotUpgrade(let from, let to):
            "HOT UPGRADE version DETECTED, from: \(from) to: \(to)"
        case .fullDeployment(let reason):
            "HOT UPGRADE version NOT DETECTED, full deployment required, result: \(reason)"
        }
    }
}

extension UpgradeDecision.Reason: CustomStringConvertible {
    /// Three of the reasons read as Deployex prints them, in Elixir's syntax.
    package var description: String {
        switch self {
        case .off: "hot upgrades are off"
        case .runningVersionUnknown: "the running version is unknown"
        case .notConnected: "{:error, :not_connecting}"
        case .withoutMD5:
            "this host's rules on cryptography leave out MD5, by which a node's code is compared"
        case .sameVersion(let version): "version \(version) runs already"
        case .notOneAppup(let paths): "[\(paths.map { "\"\($0)\"" }.joined(separator: ", "))]"
        case .noMatchingVersions: "{:error, :no_match_versions}"
        case .unreadable(let path, let reason):
            "{:error, :error_reading_file}, \(path): \(reason)"
        case .withoutERTS: "the release does not include ERTS"
        case .otherERTS(let running, let staged): "ERTS changes from \(running) to \(staged)"
        case .otherApplication(let name, let running, let staged):
            "\(name) changes from \(running) to \(staged)"
        case .withoutAppup(let name, let running, let staged):
            "\(name) changes from \(running) to \(staged) without an appup"
        case .withoutSASL: "the running release does not include :sasl"
        case .emulatorRestart: "the relup restarts the emulator"
        case .changedSetting(let name): "\(name) has changed, and only a start reads it"
        case .changedProtocol(let name):
            "the consolidated protocol \(name) has changed, and only a start loads it"
        case .changedFile(let path):
            "\(path) is not as in the running release, and its application has the same version"
        case .noRelup(let refusal): refusal.description
        }
    }
}
