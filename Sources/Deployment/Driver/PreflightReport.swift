internal import ExternalTermFormat

/// What would happen if a release came to an instance: `deployex preflight`.
package struct PreflightReport: TermDocument {
    /// `hot_upgrade`, `full_deployment`, or `none`: the release would not be deployed.
    package var result: String?
    package var instance: String?
    /// The version that runs.
    package var from: String?
    package var version: String?
    package var hash: String?
    /// Why it is no hot upgrade.
    package var reason: String?
    package var modules: Modules?
    package var processes: Processes?

    package init() {}

    package static let empty = PreflightReport()

    package static var fields: [TermField<PreflightReport>] {
        [
            TermField("result", \.result), TermField("instance", \.instance),
            TermField("from", \.from), TermField("version", \.version), TermField("hash", \.hash),
            TermField("reason", \.reason), TermField("modules", \.modules),
            TermField("processes", \.processes),
        ]
    }

    /// The modules by what happens to them.
    package struct Modules: TermDocument {
        package var added: [String] = []
        package var changed: [String] = []
        package var removed: [String] = []
        /// Those that the upgrade loads, and those whose processes wait meanwhile.
        package var loaded: [String] = []
        package var suspended: [String] = []
        /// Those whose old code a process still runs.
        package var lingering: [String] = []

        package static let empty = Modules()

        package static var fields: [TermField<Modules>] {
            [
                TermField("added", \.added), TermField("changed", \.changed),
                TermField("removed", \.removed), TermField("loaded", \.loaded),
                TermField("suspended", \.suspended), TermField("lingering", \.lingering),
            ]
        }
    }

    /// Of the supervisors' processes.
    package struct Processes: TermDocument {
        package var supervised: Int?
        package var suspended: Int?

        package static let empty = Processes()

        package static var fields: [TermField<Processes>] {
            [TermField("supervised", \.supervised), TermField("suspended", \.suspended)]
        }
    }

    mutating func add(_ preparation: HotUpgrade.Preparation) {
        let changes = preparation.codeBefore.changes(to: preparation.codeAfter)
        modules = Modules(
            added: changes.added, changed: changes.changed, removed: changes.removed,
            loaded: preparation.loadedModules, suspended: preparation.suspendedModules)
    }

    mutating func add(_ findings: Preflight.Findings) {
        processes = Processes(supervised: findings.supervised, suspended: findings.suspended)
        modules?.lingering = findings.lingering
        if let refusal = findings.refusal { (result, reason) = ("full_deployment", refusal) }
    }
}
