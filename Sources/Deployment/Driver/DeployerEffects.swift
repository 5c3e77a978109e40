package import ErlDist
package import Supervisor
package import Transport

extension Deployer {
    /// All that a deployer acts on and works with. Each of them can be replaced, as a simulation does.
    package struct Effects: Sendable {
        /// What the deployer is pinned to.
        package var loop: any SerialLoop
        package var processes: any ProcessHost
        package var store: any ReleaseStore
        package var files: any FileSystem
        /// The node of an instance, by number.
        package var node: @Sendable (InstanceNumber) -> any RemoteNode
        /// Unpacks a package, checked, into a folder that exists afterwards as a whole release only.
        package var unpack: Unpack
        /// Makes the folder of the logs. It blocks.
        package var prepareLogFolder: @Sendable () throws -> Void
        /// The last lines of a log, by path. It blocks.
        package var logTail: @Sendable (_ path: String, _ count: Int) throws -> [String]

        package var layout: DeploymentLayout
        package var logs: LogFiles
        /// What the instances' processes get.
        package var instances: InstanceEnvironment
        /// deployex's own variables, which they inherit in part.
        package var inherited: [String: String]
        /// As whom and within which limits a release's programs run.
        package var process: ProcessSetting
        package var upgradeTimings = HotUpgrade.Timings()

        /// Awaited before a release is started; throws why it must not be. It blocks.
        package var checkRelease: (@Sendable (_ folder: String) throws -> Void)?
        /// What starts a release, where not what it is says that.
        package var startCommand: StartCommand?
        /// Makes what is above the instances' folders where somebody has removed it. It blocks.
        package var prepareBase: (@Sendable () throws -> Void)?
        /// What an instance must show beside its node to be ready, such as an answer by HTTP at its port.
        package var checkReadiness: (@Sendable (InstanceNumber, UInt16?) async -> ProbeResult)?
        /// Awaited before an instance is started, when nothing writes to its logs.
        package var prepareLogs: (@Sendable (InstanceName) async -> Void)?
        /// Told on the loop's thread of each event, and of what the engine decided because of it, before
        /// that is done. The first event is `nil`: the start.
        package var onDecision: (@Sendable (EngineEvent?, [EngineAction]) -> Void)?
        /// Called on the loop's thread after each event, with what it has changed.
        package var onChange: (@Sendable (ApplicationSnapshot) -> Void)?
        /// Called on the loop's thread.
        package var log: @Sendable (LogLevel, String) -> Void

        package typealias Unpack =
            @Sendable (
                _ package: LocalPackage, _ folder: String, _ release: Release
            ) async throws -> UnpackSummary

        /// Unpacks packages, and reads logs, of this host.
        package init(
            loop: any SerialLoop, processes: any ProcessHost, layout: DeploymentLayout,
            logs: LogFiles, instances: InstanceEnvironment, inherited: [String: String],
            store: any ReleaseStore, files: any FileSystem, process: ProcessSetting = .init(),
            startCommand: StartCommand? = nil,
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
                    program: startCommand?.program
                ).unpack(
                    package.path, into: folder, application: layout.application,
                    version: release.version, hash: release.hash)
            }
            prepareLogFolder = { try logs.prepare(app: layout.application) }
            logTail = { try LogFiles.tail(path: $0, lines: $1, owners: logs.owners) }
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
