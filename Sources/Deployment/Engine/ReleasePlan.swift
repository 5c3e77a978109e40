internal import ErlDist
internal import Supervisor
internal import Transport

/// Decides which release is to run: the one that an operator or else the catalog names, or the last
/// good one when that is ghosted. It keeps the application's record, watches the catalog, and knows
/// when an attempt that changed nothing may be repeated.
struct ReleasePlan {
    private(set) var record: ApplicationRecord
    private var savedRecord: ApplicationRecord
    private var catalog: CatalogWatch
    private var retry: Retry?
    private var blame: Blame?
    /// The release that was absolved last. That happens once: the version before may stumble over what
    /// this one leaves behind.
    private var absolved: ReleaseID?
    /// The publication that the log has called ignored.
    private var toldOfIgnored: ReleaseID?
    /// Whether a package may have come since the last attempt began.
    private var hasNewPackages = false
    private let timings: EngineConfiguration.Timings
    private let origin: MonotonicTime
    /// Seconds since 1970 at `origin`.
    private let originSeconds: Int64

    /// Attempts at one release that failed before they changed anything.
    private struct Retry {
        var release: Release
        var failureCount: Int
        var notBefore: MonotonicTime
        var reason: String
        /// Whether its time has come: no further wake-up is needed for it.
        var isDue = false
    }

    /// A release that failed its trial at an instance that has not been ready since.
    private struct Blame: Equatable {
        var release: ReleaseID
        var instance: InstanceNumber
        /// Whether the release before it fails there as well, so that the release is not the cause.
        var isWrong = false
    }

    /// - Parameter seconds: the time of day at `now`, in seconds since 1970.
    init(
        record: ApplicationRecord, timings: EngineConfiguration.Timings, now: MonotonicTime,
        seconds: Int64
    ) {
        self.record = record
        savedRecord = record
        self.timings = timings
        origin = now
        originSeconds = seconds
        catalog = CatalogWatch(interval: timings.pollInterval, now: now)
    }
}

// MARK: What is to run

extension ReleasePlan {
    /// The release that the operator or the catalog wants to run, ghosted or not.
    var wanted: Release? {
        guard let pinned = record.pinned else { return catalog.target }
        // The catalog describes the same version in full: with its hash and pre-commands.
        if let named = catalog.target, named.version == pinned.version { return named }
        return pinned
    }

    /// The release that is to run.
    func target(in fleet: Fleet) -> Release? {
        guard let wanted else { return nil }
        guard record.isGhosted(wanted.id) else { return wanted }
        return fallback(from: wanted.id, in: fleet)
    }

    /// The release to go back to from `id`: the latest good one whose very bytes every instance can
    /// get. If later publications have replaced all of these in the store, it is the latest such
    /// publication of a good version. That one counts as what it is: a new release, on trial.
    func fallback(from id: ReleaseID, in fleet: Fleet) -> Release? {
        let good = record.goodReleases(otherThan: id)
        let isAvailable = { (release: Release) in
            record.isInStore(release.id)
                || fleet.allSatisfy {
                    // Only what stands in `current` changes places with `previous`.
                    $0.isStoppedByOperator || $0.current?.id == release.id
                        || $0.current != nil && $0.previous?.id == release.id
                }
        }
        if let release = good.first(where: isAvailable) { return release }
        return good.lazy.compactMap { self.record.publication(of: $0.version) }
            .first { $0.id != id && !self.record.isGhosted($0.id) }
    }

    /// Whether the instance is to be changed to `target`. A release of the same version, published
    /// again with other bytes, replaces one that was ghosted, was never ready, or does not stay up.
    func isOutdated(_ instance: Instance, _ target: Release) -> Bool {
        guard let current = instance.current else { return true }
        guard current.version == target.version else { return true }
        guard current.hash != target.hash, !target.hash.isEmpty else {
            return record.isGhosted(current.id)
        }
        // Without a hash nobody knows which bytes were good: these have to show it themselves.
        return record.isGhosted(current.id) || !isKnownGood(current.id)
            || current.hash.isEmpty && !instance.isReady
            || instance.consecutiveCrashes > timings.maximumCrashes
    }

    /// Whether an outdated instance goes back to its previous release, which is `target`.
    func isReverted(_ instance: Instance, to target: Release) -> Bool {
        guard let current = instance.current, instance.previous?.id == target.id else {
            return false
        }
        return record.isGhosted(current.id) || !record.isInStore(target.id)
    }

    /// The line that says that `target` stays out, because what runs is the same version and works.
    /// It is given once for each publication.
    mutating func takeIgnored(_ target: Release, in fleet: Fleet) -> EngineAction? {
        let differing = fleet.first {
            $0.current?.version == target.version && $0.current?.hash != target.hash
                && !target.hash.isEmpty && $0.current?.hash.isEmpty == false
                && !isOutdated($0, target)
        }
        guard let running = differing?.current, toldOfIgnored != target.id else { return nil }
        toldOfIgnored = target.id
        return .log(
            .warning,
            "Version \(target.version) is published again with hash \(target.hash), and runs with "
                + "hash \(running.hash): the new publication is ignored, because a version that works is not "
                + "replaced by other bytes. Publish them under another version")
    }

    /// Whether a trial that an earlier deployex began goes on: no instance has yet shown whether
    /// the release is good or bad.
    func isUndecided(_ id: ReleaseID) -> Bool {
        !isKnownGood(id) && !record.isGhosted(id)
    }

    private func isKnownGood(_ id: ReleaseID) -> Bool {
        record.good.contains { $0.id == id }
    }
}

// MARK: The catalog

extension ReleasePlan {
    /// Why the deployment does not go on, or why the catalog cannot be read.
    var problem: String? { retry?.reason ?? catalog.lastFailure }

    /// Whether a read of the catalog has ended, in whatever way.
    var hasReadCatalog: Bool { catalog.hasAnswered }

    var nextCatalogRead: MonotonicTime? { catalog.nextRead }

    /// When an attempt may be repeated; `nil` when none waits for its time.
    var nextAttempt: MonotonicTime? {
        retry.flatMap { $0.isDue ? nil : $0.notBefore }
    }

    /// Whether the catalog is to be read now. If so, the read counts as begun.
    mutating func timePassed(now: MonotonicTime) -> Bool {
        if let retry, retry.notBefore <= now { self.retry?.isDue = true }
        return catalog.beginIfDue(now: now)
    }

    mutating func catalogAnnounced(now: MonotonicTime) {
        catalog.announced(now: now)
    }

    /// A package may have become whole: what waits for one does not wait any longer.
    mutating func packagesAnnounced(now: MonotonicTime) {
        hasNewPackages = true
        retry?.notBefore = now
        retry?.failureCount = 0
    }

    /// What is fetched from now on is what the store has by now.
    mutating func stagingBegins() {
        hasNewPackages = false
    }

    mutating func catalogRead(_ release: Release?, now: MonotonicTime) {
        let before = catalog.target
        catalog.read(release, now: now)
        if let release { record.notePublished(release) }
        guard catalog.target != before else { return }
        // The failures of the last release do not matter for another one.
        retry = nil
        // The first that is read is no news.
        if before != nil, record.pinned == nil { record.forgetOrder() }
    }

    /// Takes note of a failure. Returns whether the reason is news for the log.
    mutating func catalogReadFailed(_ reason: String, now: MonotonicTime) -> Bool {
        catalog.failed(reason, now: now)
    }
}

// MARK: How a deployment went

extension ReleasePlan {
    /// Whether an instance may be brought to `target` now. What already runs it must be ready before it
    /// is carried any further.
    func mayBegin(_ target: Release, in fleet: Fleet, now: MonotonicTime) -> Bool {
        !holdsBack(target, now: now)
            && fleet.allSatisfy {
                $0.isStoppedByOperator || isOutdated($0, target) || $0.isReady
                    || hasOtherBytes($0, than: target)
            }
    }

    /// Whether an instance keeps another publication of the same version. Whether that one is ready
    /// says nothing about `target`.
    private func hasOtherBytes(_ instance: Instance, than target: Release) -> Bool {
        guard let current = instance.current, current.version == target.version else {
            return false
        }
        return !current.hash.isEmpty && !target.hash.isEmpty && current.hash != target.hash
    }

    /// How many attempts at `release` in a row have failed before they changed anything.
    func failureCount(of release: Release) -> Int {
        retry.map { $0.release == release ? $0.failureCount : 0 } ?? 0
    }

    /// Whether the next attempt at `target` has to wait.
    func holdsBack(_ target: Release, now: MonotonicTime) -> Bool {
        guard let retry else { return false }
        return retry.release == target && now < retry.notBefore
    }

    /// Takes note of an attempt that failed before it changed anything. The delay to the next one
    /// grows.
    mutating func postpone(
        _ release: Release, _ reason: String, now: MonotonicTime
    ) -> EngineAction {
        let before = failureCount(of: release)
        // A package that came meanwhile may be the one that was missing or half written.
        let delay =
            hasNewPackages
            ? min(Self.newPackageDelay, timings.retryDelay)
            : min(timings.retryDelay * (1 << min(before, 16)), timings.maximumRetryDelay)
        retry = Retry(
            release: release, failureCount: hasNewPackages ? 0 : before + 1,
            notBefore: now + delay, reason: reason)
        return .log(.error, "\(reason); next attempt in \(delay.inSecondsText)")
    }

    private static let newPackageDelay: Duration = .milliseconds(500)

    mutating func notePrepared(_ id: ReleaseID) {
        record.notePrepared(id)
    }

    /// A rollout has ended.
    mutating func note(
        _ ended: Rollout, _ outcome: DeploymentOutcome.Outcome, reason: String?, now: MonotonicTime
    ) {
        if outcome == .succeeded { retry = nil }
        record.note(ended.outcome(outcome, reason: reason, seconds: seconds(at: now), now: now))
    }

    /// Takes note that an upgrade in place has failed. Its rollout goes on as a full deployment.
    mutating func noteFailedUpgrade(
        of rollout: Rollout, from: ReleaseID, reason: String, now: MonotonicTime
    ) {
        let line = reason.prefix { !$0.isNewline }.prefix(300)
        var failed = rollout.outcome(
            .failed, reason: String(line), seconds: seconds(at: now), now: now)
        failed.kind = .hotUpgrade
        record.note(failed)
        record.noteFailed(.init(from: from, to: rollout.release.id))
    }

    /// The time of day, in seconds since 1970.
    private func seconds(at now: MonotonicTime) -> Int64 {
        originSeconds + (now - origin).components.seconds
    }

    /// Takes note that an instance is ready, so its release works.
    mutating func noteGood(_ deployed: DeployedRelease, latest: Bool) {
        guard !record.isGhosted(deployed.id) else { return }
        if let wanted, wanted.id == deployed.id {
            _ = record.noteGood(wanted, latest: latest)
        } else if let release = try? Release(version: deployed.version, hash: deployed.hash) {
            // The release on disk was valid once. If its version is not valid any more it is not
            // kept.
            _ = record.noteGood(release, latest: latest)
        }
    }

    /// Makes up for a deployex that was killed before it could note that the target was ready.
    mutating func noteTargetGood(_ target: Release) {
        _ = record.noteGood(target, latest: true)
    }

    /// Takes `id` out of use. The next rollouts bring every instance that runs it to the new
    /// target.
    mutating func ghost(
        _ id: ReleaseID, _ reason: String, in fleet: Fleet, now: MonotonicTime
    ) -> EngineAction {
        record.ghost(id, reason: reason, at: seconds(at: now))
        (retry, blame) = (nil, nil)
        let next = target(in: fleet)?.version
        return .log(
            .error,
            "Version \(id.version) is ghosted: \(reason); "
                + (next.map { "back to \($0)" } ?? "there is no earlier version to go back to")
                + ". `deployex unghost \(id.version)` lets it be deployed again")
    }

    /// A release on trial has failed at an instance. If there is no release to go back to, it goes
    /// on being restarted: something outside that is missing, such as a database, may come.
    mutating func failedTrial(
        _ id: ReleaseID, at number: InstanceNumber, _ reason: String, in fleet: Fleet,
        now: MonotonicTime
    ) -> [EngineAction] {
        guard !record.isGhosted(id) else { return [] }
        if let blame, blame.instance == number {
            if blame.release == id, blame.isWrong {
                return [goesOn(id, reason, "the version before it failed there as well")]
            }
            if blame.release != id, blame.release != absolved, record.isGhosted(blame.release),
                isKnownGood(id)
            {
                return [absolve(blame, by: id, reason, now: now)]
            }
        }
        guard fallback(from: id, in: fleet) != nil else {
            return [goesOn(id, reason, "there is no earlier version to go back to")]
        }
        let told = ghost(id, reason, in: fleet, now: now)
        blame = Blame(release: id, instance: number)
        return [told, .readLogTail(number, id)]
    }

    private func goesOn(_ id: ReleaseID, _ reason: String, _ cause: String) -> EngineAction {
        .log(
            .error,
            "Version \(id.version) failed at \(reason); \(cause), so it goes on being restarted")
    }

    /// A good version fails where a new one had failed, so the new one is not the cause. It is
    /// deployed again as soon as the instance is ready, or after a while.
    private mutating func absolve(
        _ blame: Blame, by good: ReleaseID, _ reason: String, now: MonotonicTime
    ) -> EngineAction {
        let version = blame.release.version
        _ = record.unghost(where: { $0.id == blame.release })
        self.blame?.isWrong = true
        absolved = blame.release
        let told =
            "Version \(good.version) failed as well, at \(reason): the cause is not version "
            + "\(version), which is not ghosted any more"
        guard let wanted, wanted.id == blame.release else { return .log(.error, told) }
        return postpone(wanted, told, now: now)
    }

    /// Forgets what was wrong at an instance, now that it is ready.
    mutating func becameReady(_ number: InstanceNumber) {
        guard let blame, blame.instance == number else { return }
        if blame.isWrong { retry = nil }
        self.blame = nil
    }

    /// Takes the last lines that the failed instance printed.
    mutating func logTailRead(
        _ number: InstanceNumber, _ id: ReleaseID, _ lines: [String]
    ) -> [EngineAction] {
        guard record.setLogLines(lines, of: id), !lines.isEmpty else { return [] }
        return [.log(.error, "Instance: \(number) said last:")]
            + lines.suffix(ApplicationRecord.Limits.logLines).map {
                .log(.error, "  \($0.prefix(500))")
            }
    }

    /// The record, if it differs from the last one to be saved.
    mutating func takeUnsaved() -> ApplicationRecord? {
        guard record != savedRecord else { return nil }
        savedRecord = record
        return record
    }
}

// MARK: What operators ask for

extension ReleasePlan {
    /// Takes note of who has asked for what runs from now on.
    mutating func noteCommand(_ command: EngineCommand, by caller: String?, in fleet: Fleet) {
        switch command {
        case .deploy, .rollback, .unghost:
            guard let caller, let target = target(in: fleet) else { return record.forgetOrder() }
            record.noteOrder(of: target.version, by: caller)
        case .restart, .stop, .start: break
        }
    }

    /// Runs this version from now on, whatever the catalog names. If it is known how the version was
    /// published last, it has to be that publication: its bytes are compared with that digest.
    /// - Returns: why that is not possible; `nil` when it is done.
    mutating func pin(_ version: String) -> String? {
        let release: Release
        do throws(ReleaseError) {
            if let known = record.publication(of: version) {
                release = known
            } else {
                release = try Release(version: version)
            }
        } catch {
            return "\(version) cannot be deployed: \(error)"
        }
        let before = record.pinned
        record.pinned = release
        if let wanted, record.isGhosted(wanted.id) {
            record.pinned = before
            return "version \(version) is ghosted: `deployex unghost \(version)` first"
        }
        retry = nil
        return nil
    }

    /// Follows the catalog again. Returns whether it did not do so before.
    mutating func unpin() -> Bool {
        guard record.pinned != nil else { return false }
        record.pinned = nil
        retry = nil
        return true
    }

    /// Lets a version be deployed again. Returns whether it was ghosted.
    mutating func unghost(_ version: String) -> Bool {
        guard record.unghost(where: { $0.version == version }) > 0 else { return false }
        (retry, blame, absolved) = (nil, nil, nil)
        return true
    }
}
