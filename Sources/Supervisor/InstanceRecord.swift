/// What is on disk about the process of an instance, so that a later deployex finds it again.
///
/// `BASE/run/APP-I.json`, mode 0600, written after the process exists and before it becomes the
/// program, removed when nothing of its session is left:
/// ```json
/// {"format":1,"app":"counter","instance":1,"version":"0.1.2",
///  "process":{"pid":4711,"start_ticks":889123,"boot_id":"6a1c…"},
///  "restarts":{"crash":0,"forced":1}}
/// ```
package struct InstanceRecord: Equatable, Codable, Sendable {
    package static let currentFormat = 1

    package private(set) var format = currentFormat
    package var app: String
    package var instance: Int
    package var process: ProcessIdentity
    /// The release that was started.
    package var version: String?
    /// The counters when it was started; they change only with the next start.
    package var restarts: InstanceMachine.Restarts

    package init(
        name: InstanceName, process: ProcessIdentity, version: String?,
        restarts: InstanceMachine.Restarts
    ) {
        app = name.app
        instance = name.index
        self.process = process
        self.version = version
        self.restarts = restarts
    }

    package var name: InstanceName { InstanceName(app: app, index: instance) }
}
