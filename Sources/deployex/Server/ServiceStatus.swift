internal import Deployment

/// How the applications are, in one line for `systemctl status`.
enum ServiceStatus {
    static let maximumApplications = 6

    /// `counter 0.1.2: 3 of 3 instances run; website: 1 of 2 instances run`. Instances that an
    /// operator has stopped do not count.
    static func text(_ applications: [ApplicationSnapshot]) -> String {
        let shown = applications.prefix(maximumApplications).map { application in
            let wanted = application.instances.filter { !$0.isStoppedByOperator }
            let running = wanted.count { $0.status == .running }
            let version = application.targetVersion.map { " \($0)" } ?? ""
            return "\(application.application)\(version): "
                + "\(running) of \(wanted.count) instances run"
        }
        let left = applications.count - shown.count
        return (shown + (left > 0 ? ["\(left) more"] : [])).joined(separator: "; ")
    }
}
