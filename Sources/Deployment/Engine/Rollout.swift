internal import Supervisor
internal import Transport

/// One instance on its way to a release. There is at most one at a time.
struct Rollout: Equatable {
    enum Phase: Equatable {
        /// The package is fetched, checked and unpacked; the instance runs on.
        case staging
        /// The instance stops; the package waits in `new`.
        case stopping
        case promoting
        case hotUpgrading
        /// The release has been started, or upgraded in place, and is given until `deadline`.
        case awaitingReady(deadline: MonotonicTime)
    }

    var instance: Int
    var release: Release
    var phase: Phase
}

/// Attempts at one release that failed before they changed anything.
struct RetryState: Equatable {
    var release: Release
    var failureCount: Int
    var notBefore: MonotonicTime
}
