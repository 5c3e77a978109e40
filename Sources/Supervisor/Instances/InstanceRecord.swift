/// What is on disk about an instance and its process, so that a later deployex continues with both.
///
/// `BASE/run/APP-I.json`, mode 0600. The process is recorded after it exists and before it becomes
/// the program. It is removed when nothing of its session is left:
/// ```json
/// {"format":1,"app":"counter","instance":1,"version":"0.1.2","creation":1725,
///  "process":{"pid":4711,"start_ticks":889123,"boot_id":"6a1c…"},"has_begun":true,
///  "is_stopping":false,"is_stopped":false,"restarts":{"crash":0,"forced":1}}
/// ```
package struct InstanceRecord: Equatable, Codable, Sendable {
    package static let currentFormat = 1

    package private(set) var format = currentFormat
    package var app: String
    package var instance: InstanceNumber
    /// The process that runs, or is being started.
    package var process: ProcessIdentity?
    /// Whether that process is known to have become the program.
    package var hasBegun = false
    /// Somebody has decided to stop the process. Nobody signals it before this is on disk.
    package var isStopping = false
    /// An operator wants the instance to stay stopped.
    package var isStopped = false
    /// The last known creation of its node.
    package var creation: UInt32?
    /// The modules of ``pendingRestart``.
    private var pendingModules: String?
    /// The children of ``pendingRestart``.
    private var unstartedChildren: [String]?
    /// The release that was started.
    package var version: String?
    package var restarts: InstanceMachine.Restarts
    /// The port that the process was given.
    package private(set) var port: UInt16?
    /// The latest processes that left the process's session and run on without a parent.
    package private(set) var others: [ProcessIdentity]?

    /// How long the process may take to end, in milliseconds, as it was configured when the process
    /// started.
    private var stopMilliseconds: Int?

    /// How long the process may take to end, for whoever does not know the configuration.
    package var stopTimeout: Duration? {
        stopMilliseconds.map { .milliseconds(min(max($0, 50), 86_400_000)) }
    }

    /// A record that grew without end could not be written on a full disk.
    static let maximumOthers = 32

    package init(
        name: InstanceName, process: ProcessIdentity? = nil, version: String? = nil,
        restarts: InstanceMachine.Restarts = .init()
    ) {
        app = name.app
        instance = name.number
        self.process = process
        self.version = version
        self.restarts = restarts
    }

    package var name: InstanceName { InstanceName(app: app, number: instance) }

    /// What only a new process brings into effect.
    package var pendingRestart: PendingRestart {
        get { PendingRestart(modules: pendingModules, children: unstartedChildren ?? []) }
        set {
            pendingModules = newValue.modules
            unstartedChildren = newValue.children.isEmpty ? nil : newValue.children
        }
    }

    private enum CodingKeys: String, CodingKey {
        case format, app, instance, process, creation, version, restarts, others, port
        case hasBegun = "has_begun"
        case isStopping = "is_stopping"
        case isStopped = "is_stopped"
        case pendingModules = "pending_restart"
        case unstartedChildren = "unstarted_children"
        case stopMilliseconds = "stop_timeout_ms"
    }

    /// Records a process that is being started. Nothing of the one before it remains valid.
    package mutating func begin(
        _ process: ProcessIdentity, version: String?, port: UInt16? = nil,
        stopTimeout: Duration? = nil
    ) {
        end()
        self.process = process
        self.version = version
        self.port = port
        stopMilliseconds = stopTimeout.map { timeout in
            let (seconds, attoseconds) = timeout.components
            return Int(clamping: min(seconds, 86_400) * 1000 + attoseconds / 1_000_000_000_000_000)
        }
    }

    /// The port that the process was given, according to the process itself.
    package mutating func noteFound(port: UInt16?) {
        self.port = port
    }

    /// `other` has left the session of `process`.
    package mutating func left(_ other: ProcessIdentity) {
        guard process != nil else { return }
        others = (others ?? []).filter { $0 != other }.suffix(Self.maximumOthers - 1) + [other]
    }

    /// Nothing of the process is left.
    package mutating func end() {
        process = nil
        hasBegun = false
        isStopping = false
        creation = nil
        pendingRestart = PendingRestart()
        others = nil
        port = nil
        stopMilliseconds = nil
    }
}
