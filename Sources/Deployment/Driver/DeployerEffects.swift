package import ErlDist
package import Supervisor
package import Transport

extension Deployer {
    /// All that a deployer acts on and works with. Each effect can be replaced, as in a simulation.
    package struct Effects: Sendable {
        /// The loop that the deployer is pinned to.
        package var loop: any SerialLoop
        package var processes: any ProcessHost
        package var store: any ReleaseStore
        package var files: any FileSystem
        /// The node of an instance, by number.
        package var node: @Sendable (InstanceNumber) -> any RemoteNode
        /// Checks a package and unpacks it. Afterwards the folder either holds a whole release or
        /// does not exist.
        package var unpack: Unpack
        /// The same, by a copy of what was unpacked in another folder. It fails if that does not
        /// stand there whole any more.
        package var copyUnpacked: CopyUnpacked
        /// Makes the folder of the logs. It blocks.
        package var prepareLogFolder: @Sendable () throws -> Void
        /// The last lines of a log, by path. It blocks.
        package var logTail: @Sendable (_ path: String, _ count: Int) throws -> [String]
        /// How many bytes were ever written to a log, by path. It blocks.
        package var logEnd: @Sendable (_ path: String) throws -> Int64

        package var layout: DeploymentLayout
        package var logs: LogFiles
        /// The environment of the instances' processes.
        package var instances: InstanceEnvironment
        /// deployex's own variables, which they inherit in part.
        package var inherited: [String: String]
        /// Those of them that are not UTF-8.
        package var foreignVariables: [ForeignVariable] = []
        /// The user and the limits of a release's programs.
        package var process: ProcessSetting
        package var upgradeTimings = HotUpgrade.Timings()

        /// Called before a release is started; throws if it must not be started, and says why. It
        /// blocks.
        package var checkRelease: (@Sendable (_ folder: String) throws -> Void)?
        /// The command that starts a release; `nil` if the release itself determines it.
        package var startCommand: StartCommand?
        /// Makes the folders above those of the instances, if somebody has removed them. It blocks.
        package var prepareBase: (@Sendable () throws -> Void)?
        /// The listening sockets that an instance inherits, just before it is started; throws if there is
        /// one that cannot be opened.
        package var sockets: (@Sendable (InstanceNumber) async throws -> InheritedSockets)?
        /// How many connections an instance has accepted and not closed; `nil` if that is not known.
        package var connectionCount: (@Sendable (InstanceNumber, SessionSockets) async -> Int?)?
        /// Checks what an instance needs besides its node to be ready, such as an answer by HTTP at
        /// its port.
        package var checkReadiness: (@Sendable (InstanceNumber, UInt16?) async -> ProbeResult)?
        /// Awaited before an instance is started, when nothing writes to its logs.
        package var prepareLogs: (@Sendable (InstanceName) async -> Void)?
        /// Awaited when nothing of an instance runs any more, so that nothing writes to its logs.
        package var finishLogs: (@Sendable (InstanceName) async -> Void)?
        /// Called on the loop's thread with each event and the actions that the engine returned for
        /// it, before they are carried out. The first event is `nil`: the start.
        package var onDecision: (@Sendable (EngineEvent?, [EngineAction]) -> Void)?
        /// Called on the loop's thread after each event, with the new state.
        package var onChange: (@Sendable (ApplicationSnapshot) -> Void)?
        /// Called on the loop's thread.
        package var log: @Sendable (LogLevel, String) -> Void

        package typealias Unpack =
            @Sendable (
                _ package: LocalPackage, _ folder: String, _ release: Release
            ) async throws -> UnpackSummary

        package typealias CopyUnpacked =
            @Sendable (
                _ unpacked: String, _ summary: UnpackSummary, _ folder: String, _ release: Release
            ) async throws -> Void

        /// The effects that unpack packages and read logs on this host.
        /// - Parameter publicKeys: the keys that packages must be signed with, if they must be.
        package init(
            loop: any SerialLoop, processes: any ProcessHost, layout: DeploymentLayout,
            logs: LogFiles, instances: InstanceEnvironment, inherited: [String: String],
            store: any ReleaseStore, files: any FileSystem, process: ProcessSetting = .init(),
            startCommand: StartCommand? = nil, publicKeys: PublicKeysFile? = nil,
            node: @escaping @Sendable (InstanceNumber) -> any RemoteNode,
            log: @escaping @Sendable (LogLevel, String) -> Void
        ) {
            self.loop = loop
            self.processes = processes
            self.store = store
            self.files = files
            self.node = node
            unpack = { package, folder, release in
                try await PackageUnpacker(
                    files: files, owner: process.user, packageOwners: package.owners,
                    program: startCommand?.program, publicKeys: publicKeys
                ).unpack(
                    package.path, into: folder, application: layout.application,
                    version: release.version, hash: release.hash,
                    sha256: release.sha256, signature: package.signaturePath,
                    preCommands: release.preCommands)
            }
            copyUnpacked = { unpacked, summary, folder, release in
                try await PackageUnpacker(
                    files: files, owner: process.user, program: startCommand?.program
                ).copy(
                    unpacked, into: folder, application: layout.application,
                    version: release.version, hash: release.hash, byteCount: summary.byteCount)
            }
            prepareLogFolder = { try logs.prepare(app: layout.application) }
            logTail = { try LogFiles.tail(path: $0, lines: $1, owners: logs.owners) }
            logEnd = { try LogFiles.position(path: $0, lastLines: 0, owners: logs.owners).offset }
            self.startCommand = startCommand
            self.layout = layout
            self.logs = logs
            self.instances = instances
            self.inherited = inherited
            self.process = process
            self.log = log
        }
    }
}
