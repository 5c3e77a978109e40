package import Supervisor

/// A release that did not work. It is not deployed again until somebody lifts this.
package struct GhostedRelease: Codable, Equatable, Sendable {
    package var version: String
    package var hash: String
    package var reason: String
    /// The last lines that the failed instance printed.
    package var logLines: [String]
    /// Seconds since 1970.
    package var at: Int64

    package var id: ReleaseID { ReleaseID(version: version, hash: hash) }

    /// The reason of one that has not failed.
    package static let rolledBack = "rolled back by an operator"
}

/// One instance's change of release, as it ended.
package struct DeploymentOutcome: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, Sendable {
        case fullDeployment = "full_deployment"
        case hotUpgrade = "hot_upgrade"
        case rollback
    }

    package enum Outcome: String, Codable, Sendable {
        case succeeded, failed
    }

    /// The reason of one that an operator has ended, which is no fault of the release.
    package static let stoppedByOperator = "stopped by an operator"

    package var id: ReleaseID { ReleaseID(version: version, hash: hash) }

    package var version: String
    package var hash: String
    package var kind: Kind
    package var instance: InstanceNumber
    package var outcome: Outcome
    /// When it ended: seconds since 1970.
    package var at: Int64
    package var milliseconds: Int64
    /// Why it failed.
    package var reason: String?
    /// Who asked for the release; `nil` when the catalog named it or another release failed.
    package var askedBy: String?
    /// What it consisted of, in order; `nil` where an earlier deployex has written it.
    package var steps: [Step]?

    package struct Step: Codable, Equatable, Sendable {
        /// A ``RolloutPhase``. A newer deployex may have others.
        package var phase: String
        package var milliseconds: Int64

        package init(phase: RolloutPhase, milliseconds: Int64) {
            self.phase = phase.rawValue
            self.milliseconds = milliseconds
        }
    }
}

/// Who asked for a version.
package struct Order: Codable, Equatable, Sendable {
    package var version: String
    package var caller: String
}

/// An upgrade in place from one release to another.
package struct UpgradeStep: Codable, Equatable, Sendable {
    package var from: ReleaseID
    package var to: ReleaseID
}

/// All that deployex remembers about an application, in `version/APP/application.json`. It is a
/// value: the engine changes it, and the deployer writes it as a whole.
package struct ApplicationRecord: Codable, Equatable, Sendable {
    package static let currentFormat = 1
    /// Beyond these numbers the oldest entries are removed.
    package enum Limits {
        package static let ghosted = 50
        package static let good = 10
        package static let prepared = 20
        package static let published = 50
        package static let failedUpgrades = 20
        package static let history = 200
        package static let logLines = 20
        package static let reasonByteCount = 2_000
        package static let callerByteCount = 300
    }

    package private(set) var format = currentFormat
    /// The release that an operator has asked for instead of the catalog's.
    package var pinned: Release?
    /// What an operator has asked for last; `nil` when the catalog has named another release since.
    private(set) var order: Order?
    package private(set) var ghosted: [GhostedRelease] = []
    /// Releases that were ready on some instance, the latest first.
    package private(set) var good: [Release] = []
    /// Releases whose pre-commands have run on this host, the latest first.
    package private(set) var prepared: [ReleaseID] = []
    /// The last publication of each version that the catalog has named, the latest first. The
    /// store's package of that version holds this publication.
    package private(set) var published: [Release] = []
    /// The oldest first.
    package private(set) var history: [DeploymentOutcome] = []

    /// Upgrades in place that have failed in the node, the latest first: they are not tried again.
    private var failedUpgrades: [UpgradeStep] = []

    private enum CodingKeys: String, CodingKey {
        case format, pinned, order, ghosted, good, prepared, published, history
        case failedUpgrades = "failed_upgrades"
    }

    package init() {}

    /// `order`, `published` and `failed_upgrades` came after the format: an older record without them is
    /// whole.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        format = try container.decode(Int.self, forKey: .format)
        pinned = try container.decodeIfPresent(Release.self, forKey: .pinned)
        order = try container.decodeIfPresent(Order.self, forKey: .order)
        ghosted = try container.decode([GhostedRelease].self, forKey: .ghosted)
        good = try container.decode([Release].self, forKey: .good)
        prepared = try container.decode([ReleaseID].self, forKey: .prepared)
        published = try container.decodeIfPresent([Release].self, forKey: .published) ?? []
        history = try container.decode([DeploymentOutcome].self, forKey: .history)
        failedUpgrades =
            try container.decodeIfPresent([UpgradeStep].self, forKey: .failedUpgrades) ?? []
    }

    package func hasFailed(_ step: UpgradeStep) -> Bool {
        failedUpgrades.contains(step)
    }

    mutating func noteFailed(_ step: UpgradeStep) {
        failedUpgrades.removeAll { $0 == step }
        failedUpgrades.insert(step, at: 0)
        failedUpgrades.removeLast(max(0, failedUpgrades.count - Limits.failedUpgrades))
    }

    package func isGhosted(_ id: ReleaseID) -> Bool {
        ghosted.contains { $0.id == id }
    }

    /// The good releases except `id` and those that are ghosted, the latest first.
    package func goodReleases(otherThan id: ReleaseID) -> [Release] {
        good.filter { $0.id != id && !isGhosted($0.id) }
    }

    /// Whether the store's package of that version may hold those bytes: nothing says that another
    /// publication has replaced it.
    package func isInStore(_ id: ReleaseID) -> Bool {
        guard !id.hash.isEmpty, let last = publication(of: id.version) else { return true }
        return last.hash.isEmpty || last.hash == id.hash
    }

    /// The last publication of that version, as far as it is known.
    package func publication(of version: String) -> Release? {
        published.first { $0.version == version }
    }

    package func isPrepared(_ id: ReleaseID) -> Bool {
        prepared.contains(id)
    }

    mutating func ghost(_ id: ReleaseID, reason: String, at: Int64) {
        ghosted.removeAll { $0.id == id }
        ghosted.append(
            GhostedRelease(
                version: id.version, hash: id.hash, reason: Self.bounded(reason), logLines: [],
                at: at))
        ghosted.removeFirst(max(0, ghosted.count - Limits.ghosted))
    }

    /// Adds the lines that the instance had printed. Returns whether the release is (still)
    /// ghosted.
    mutating func setLogLines(_ lines: [String], of id: ReleaseID) -> Bool {
        guard let index = ghosted.firstIndex(where: { $0.id == id }) else { return false }
        ghosted[index].logLines = lines.suffix(Limits.logLines).map(Self.bounded)
        return true
    }

    /// Lifts the ghosts that `isMeant` holds for, and returns how many there were. Upgrades in
    /// place that failed on the way to them may be tried again.
    mutating func unghost(where isMeant: (GhostedRelease) -> Bool) -> Int {
        let gone = ghosted.filter(isMeant)
        ghosted.removeAll(where: isMeant)
        failedUpgrades.removeAll { step in gone.contains { $0.id == step.to } }
        return gone.count
    }

    /// Notes a good release, and returns whether that changes anything. A release that was good
    /// before keeps its place unless it is `latest`.
    mutating func noteGood(_ release: Release, latest: Bool) -> Bool {
        let index = good.firstIndex { $0.id == release.id }
        if let index {
            guard latest, index != 0 else { return false }
            good.remove(at: index)
        }
        good.insert(release, at: 0)
        good.removeLast(max(0, good.count - Limits.good))
        return true
    }

    mutating func notePublished(_ release: Release) {
        guard publication(of: release.version) != release else { return }
        published.removeAll { $0.version == release.version }
        published.insert(release, at: 0)
        published.removeLast(max(0, published.count - Limits.published))
    }

    mutating func notePrepared(_ id: ReleaseID) {
        prepared.removeAll { $0 == id }
        prepared.insert(id, at: 0)
        prepared.removeLast(max(0, prepared.count - Limits.prepared))
    }

    /// An operator has asked for that version.
    mutating func noteOrder(of version: String, by caller: String) {
        let caller = String(decoding: caller.utf8.prefix(Limits.callerByteCount), as: UTF8.self)
        order = Order(version: version, caller: caller)
    }

    mutating func forgetOrder() { order = nil }

    mutating func note(_ outcome: DeploymentOutcome) {
        var outcome = outcome
        if order?.version == outcome.version { outcome.askedBy = order?.caller }
        outcome.reason = outcome.reason.map(Self.bounded)
        history.append(outcome)
        history.removeFirst(max(0, history.count - Limits.history))
    }

    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > Limits.reasonByteCount else { return text }
        return String(decoding: text.utf8.prefix(Limits.reasonByteCount), as: UTF8.self) + "…"
    }
}
