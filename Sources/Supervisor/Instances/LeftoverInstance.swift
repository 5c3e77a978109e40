package import Transport

/// What a record says of an instance that must not run any more, or whose process has ended.
package struct LeftoverInstance: Sendable {
    /// A process that ran.
    package struct Part: Equatable, Sendable {
        package var identity: ProcessIdentity
        /// Whether it led the session, and is not one that had left it.
        package var isLeader: Bool
        /// Not `.notRunning`.
        package var outcome: LeftoverSession.Outcome

        package var hasSurvived: Bool {
            if case .survived = outcome { true } else { false }
        }
    }

    private let record: InstanceRecord
    private let folder: String
    private let owners: TrustedUsers

    /// - Parameters:
    ///   - folder: the instance's folder, the value of ``Orphans/variable``.
    ///   - owners: the users of its processes.
    package init(_ record: InstanceRecord, folder: String, owners: TrustedUsers) {
        self.record = record
        self.folder = folder
        self.owners = owners
    }

    /// Stops the recorded process with its session, then the processes that were seen to leave the
    /// session, those that are still in it, and those in the instance's control group, which then
    /// goes as well. Called on the loop's thread, by an actor that is pinned to it.
    /// - Parameter timeout: how long the session has to end.
    /// - Returns: what ran and was stopped; and what else says that the instance has started it.
    package nonisolated(nonsending) func stop(
        timeout: Duration, in host: any ProcessHost, on loop: any SerialLoop
    ) async throws -> (parts: [Part], unseen: [MarkedProcess]) {
        guard let leader = record.process, leader.bootID == host.bootID else { return ([], []) }
        let others = record.others ?? []
        let outcome = try await LeftoverSession.stop(
            leader, others: others, timeout: timeout, in: host, on: loop)
        var parts = [Part(identity: leader, isLeader: true, outcome: outcome)]
        let left = await left(in: host)
        let ours = left.filter { $0.session == leader.pid || $0.isInGroup }.map(\.identity)
        for identity in others + ours.filter({ !others.contains($0) }) {
            let outcome = try await LeftoverSession.stop(
                identity, timeout: .seconds(2), in: host, on: loop)
            parts.append(Part(identity: identity, isLeader: false, outcome: outcome))
        }
        // Nobody else removes it if the leader has ended unwatched.
        await host.removeGroup(marked: folder)
        return (
            parts.filter { $0.outcome != .notRunning },
            left.filter { !others.contains($0.identity) && !ours.contains($0.identity) }
        )
    }

    /// Processes of this host that ``stop(timeout:in:on:)`` would stop.
    package func running(in host: any ProcessHost) async -> [ProcessIdentity] {
        guard let leader = record.process, leader.bootID == host.bootID else { return [] }
        let recorded = ([leader] + (record.others ?? [])).filter(\.isRunning)
        guard recorded.isEmpty else { return recorded }
        return await left(in: host).filter { $0.session == leader.pid || $0.isInGroup }
            .map(\.identity)
    }

    private func left(in host: any ProcessHost) async -> [MarkedProcess] {
        await host.marked(with: "\(Orphans.variable)=\(folder)", owners: owners)
    }
}
