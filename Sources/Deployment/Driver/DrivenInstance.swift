internal import Supervisor

/// What the deployer holds of one instance. Confined to the deployer.
final class DrivenInstance {
    let number: InstanceNumber
    let name: InstanceName
    let state: InstanceState
    /// Its record; another one once that on disk has been read.
    var keeper: InstanceRecordKeeper
    /// Its process, from the start or adoption until nothing of the session is left.
    var session: (any RunningSession)?
    /// The log says once in a run that processes have left its session.
    var hasToldOfOthers = false
    /// The latest work on its folders.
    var folderWork: Task<Void, Never>?
    /// The package behind what is staged; a hot upgrade hands it to the node.
    var package: LocalPackage?

    /// The applications that its node must have started, and the version of which that is known.
    var required: (version: String, applications: [String])?

    init(_ name: InstanceName, _ state: InstanceState, in records: InstanceRecordFolder) {
        number = name.number
        self.name = name
        self.state = state
        keeper = InstanceRecordKeeper(InstanceRecord(name: name), in: records)
    }
}
