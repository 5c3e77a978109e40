internal import Glibc
internal import Supervisor
internal import Transport

/// What deployex was started with and has changed for itself. Its instances get the old values.
struct StartConditions: Equatable, Sendable {
    /// The permissions that new files did not get at the start.
    var umask: UInt32
    var coreLimit: ResourceLimit?
    /// The hard limit of descriptors. deployex leaves it as it is.
    var descriptorHardLimit: UInt64

    /// Others get no access to deployex's own files, and its group may only read them.
    static let ownUmask: UInt32 = 0o027

    /// Closes this process to other users, before it learns or makes anything that is not theirs.
    /// It leaves no core dump, other processes of its user cannot trace it, and it makes files with
    /// ``ownUmask``.
    static func close() -> StartConditions {
        let core = ResourceLimit.current(.coreBytes).map { ResourceLimit(soft: $0.soft) }
        let conditions = StartConditions(
            umask: UInt32(Glibc.umask(ownUmask)), coreLimit: core,
            descriptorHardLimit: ResourceLimit.current(.descriptors)?.hard ?? 1024)
        // Keep the hard limit: an ordinary user could not give the instances their old limit back.
        ResourceLimit.set(.coreBytes, to: 0)
        OwnProcess.refuseDumps()
        return conditions
    }

    /// The user and the limits for an application's programs.
    func setting(for application: ApplicationConfiguration) -> ProcessSetting {
        var setting = ProcessSetting(
            user: application.otherUser, umask: umask,
            descriptorLimit: DescriptorAllowance.limit(
                wanted: application.maximumOpenFiles, hard: descriptorHardLimit),
            coreLimit: coreLimit)
        setting.hasUsualPriority = true
        return setting
    }
}
