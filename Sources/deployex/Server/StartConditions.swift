internal import Glibc
internal import Supervisor
internal import Transport

/// What deployex was started with and has changed for itself: its instances get it back.
struct StartConditions: Equatable, Sendable {
    /// The permissions that new files did not get.
    var umask: UInt32
    var coreLimit: ResourceLimit?
    /// The hard limit of descriptors, which deployex leaves as it is.
    var descriptorHardLimit: UInt64

    /// Of deployex's own files nothing is for others, and its group only reads.
    static let ownUmask: UInt32 = 0o027

    /// Closes this process to other users, before it knows or makes anything that is not theirs: it
    /// leaves no core dump, cannot be traced by its own user's other processes, and makes files
    /// with ``ownUmask``.
    static func close() -> StartConditions {
        let core = ResourceLimit.current(.coreBytes).map { ResourceLimit(soft: $0.soft) }
        let conditions = StartConditions(
            umask: UInt32(Glibc.umask(ownUmask)), coreLimit: core,
            descriptorHardLimit: ResourceLimit.current(.descriptors)?.hard ?? 1024)
        // The hard limit stays: an ordinary user could not give its instances theirs back.
        ResourceLimit.set(.coreBytes, to: 0)
        OwnProcess.refuseDumps()
        return conditions
    }

    /// As whom and with what an application's programs run.
    func setting(for application: ApplicationConfiguration) -> ProcessSetting {
        ProcessSetting(
            user: application.otherUser, umask: umask,
            descriptorLimit: DescriptorAllowance.limit(
                wanted: application.maximumOpenFiles, hard: descriptorHardLimit),
            coreLimit: coreLimit)
    }
}
