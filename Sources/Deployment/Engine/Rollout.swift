internal import Supervisor
internal import Transport

/// One instance on its way to a release. There is at most one at a time.
struct Rollout: Equatable {
    enum Phase: Equatable {
        /// The package is fetched, checked and unpacked; the instance runs on.
        case staging
        /// The pre-commands run; the instance runs on.
        case preparing(UpgradeDecision)
        /// The instance stops; the package waits in `new`, or the release before in `previous`.
        case stopping
        case promoting
        case reverting
        case hotUpgrading
        /// The release has been started, or upgraded in place, and is given until `deadline`.
        case awaitingReady(deadline: MonotonicTime)
    }

    var instance: Int
    var release: Release
    var phase: Phase
    var kind: DeploymentOutcome.Kind
    var begin: MonotonicTime
    /// A hot upgrade that an earlier deployex began, whose package is not staged any more.
    var isResumed = false

    /// Whether the instance's folders are being changed, or its node is.
    var isChanging: Bool {
        switch phase {
        case .staging, .preparing, .awaitingReady: false
        case .stopping, .promoting, .reverting, .hotUpgrading: true
        }
    }
}

/// Attempts at one release that failed before they changed anything.
struct RetryState: Equatable {
    var release: Release
    var failureCount: Int
    var notBefore: MonotonicTime
    var reason: String
    /// Its time has come: nothing has to come back for it any more.
    var isDue = false
}
