internal import Supervisor
internal import Transport

/// The deployer's state of one instance. Confined to the deployer.
final class DrivenInstance {
    let number: InstanceNumber
    let name: InstanceName
    let state: InstanceState
    /// Its record; replaced once the record on disk has been read.
    var keeper: InstanceRecordKeeper
    /// Its process, from the start or adoption until no process of the session is left.
    var session: (any RunningSession)?
    /// Where its logs ended when its process was started or taken over.
    var logStarts: LastWords.Starts = [:]
    /// Whether the log has said that processes have left its session; it does so once in a run.
    var hasToldOfOthers = false
    /// The latest signal that could not be recorded yet: it is sent when it can.
    var unsent: (session: any RunningSession, send: @Sendable (any RunningSession) -> Void)?
    /// The latest work on its folders.
    var folderWork: Task<Void, Never>?
    /// What was made for the hot upgrade to the staged release.
    var prepared: PreparedUpgrade?
    /// The applications that its node must have started, and the version that needs them.
    var required: (version: String, applications: [String])?

    /// What was made for a hot upgrade before it began. It holds for the releases between which it
    /// leads, and not for long: secrets and files that the configuration comes from may change.
    struct PreparedUpgrade {
        var from: ReleaseID?
        var to: ReleaseID
        var at: MonotonicTime
        var result: HotUpgrade.Prepared

        private static let lifetime: Duration = .seconds(60)

        func holds(from: ReleaseID?, to: ReleaseID, now: MonotonicTime) -> Bool {
            (self.from, self.to) == (from, to) && now < at + Self.lifetime
        }
    }

    init(_ name: InstanceName, _ state: InstanceState, in records: InstanceRecordFolder) {
        number = name.number
        self.name = name
        self.state = state
        keeper = InstanceRecordKeeper(InstanceRecord(name: name), in: records)
    }
}

/// A package that is unpacked in an instance's `new`, or is being.
struct UnpackedRelease {
    var number: InstanceNumber
    var release: Release
    var package: LocalPackage
    var work: Task<Result<UnpackSummary, any Error>, Never>
}
