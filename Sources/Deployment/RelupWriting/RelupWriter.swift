package import ExternalTermFormat

/// Writes the relup between two releases from what their files say.
///
/// What it does not understand it refuses by name: a node that does nothing new is better than one
/// that runs half of it.
///
/// Source: relup(4), SASL; `release_handler_1`, which carries it out and checks only its syntax.
/// `systools` makes the same shapes from appups; but it kills what lingers in old code, and knows
/// nothing of consolidated protocols.
package struct RelupWriter: Sendable {
    /// The folder of the release on the node, the one that holds `releases`.
    package var root: String
    /// What is done before the node sees the new environment.
    package var configuration: [Term]

    package init(root: String, configuration: [Term] = []) {
        self.root = root
        self.configuration = configuration
    }

    /// The relup that leads from `old` to `new` and back.
    package func relup(
        from old: ReleaseCode, to new: ReleaseCode
    ) throws(RelupRefusal) -> WrittenRelup {
        let up = try ReleaseDifference(from: old, to: new)
        try up.check()
        let down = try ReleaseDifference(from: new, to: old)
        try down.check()
        let script = "\(root)/releases/\(new.version)/\(UpgradeScript.name)"
        return WrittenRelup(
            from: old.version, to: new.version,
            up: try RelupSection(
                difference: up, direction: .up, root: root, script: script,
                configuration: configuration
            ).instructions(),
            down: try RelupSection(
                difference: down, direction: .down, root: root, script: script,
                configuration: configuration
            ).instructions(),
            suspended: RelupSection.suspended(up), removed: up.removedWhileRunning)
    }
}

/// A relup from one release to another and back, and what a node must be asked before.
package struct WrittenRelup: Equatable, Sendable {
    package var from: String
    package var to: String
    package var up: [Term]
    package var down: [Term]
    /// The modules whose processes are suspended on the way up. A process that runs one of them,
    /// and that no supervisor's child names it for, is not found.
    package var suspended: [String]
    /// The modules of applications that stay that are gone afterwards. A process that runs one of them ends with an error at
    /// its next call, unless its supervisor's new children leave it out.
    package var removed: [String]

    /// `{Vsn, [{UpFromVsn, Descr, Instructions}], [{DownToVsn, Descr, Instructions}]}.`
    package var term: Term {
        func entry(_ instructions: [Term]) -> Term {
            .tuple([.charlist(from), [], .list(instructions)])
        }
        return .tuple([.charlist(to), [entry(up)], [entry(down)]])
    }

    /// The text of the file `relup`.
    package var text: [UInt8] { ErlangFile.bytes([term]) }
}
