internal import Deployment
internal import Supervisor
internal import Transport

/// One at a time.
final class VerificationTurn: Sendable {
    private let isTaken = Guarded(false)

    /// Whether the turn is now the caller's, until ``end()``.
    func begin() -> Bool {
        isTaken.withLock { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
    }

    func end() { isTaken.withLock { $0 = false } }
}

extension ControlModule {
    /// Compares an instance's files and loaded code with the package that was deployed.
    func verification(
        of instance: InstanceName
    ) async throws(ControlRefusal) -> VerificationReport {
        guard Digest.isAvailable(.md5) else {
            throw ControlRefusal(
                "this host's rules on cryptography leave out MD5, by which code is compared")
        }
        guard verifications.begin() else {
            throw Self.busy
        }
        defer { verifications.end() }
        let served = served(instance.app)
        let before = await snapshot(of: instance)
        guard let before, let current = before.current else {
            throw ControlRefusal("\(instance) has no release yet")
        }
        try await refuseRollout(of: instance)
        let verification = InstanceVerification(
            application: instance.app, instance: instance, current: current,
            earlierVersions: await earlierVersions(of: instance),
            folder: served.layout.current(instance.number), files: served.deployer.files,
            publicKeys: served.publicKeys,
            source: { await served.source($0, version: $1) }, node: node(of: before, served))
        let report = await verification.report()
        let after = await snapshot(of: instance)
        try await refuseRollout(of: instance)
        guard after?.current == current, after?.identity == before.identity else {
            throw ControlRefusal("\(instance) has changed while it was verified: try again")
        }
        return report
    }

    private static let busy = ControlRefusal(
        "deployex looks at another package or instance at the moment: try again")

    /// What would happen if the version came to the instance.
    func preflight(
        of version: String, at instance: InstanceName
    ) async throws(ControlRefusal) -> PreflightReport {
        guard verifications.begin() else { throw Self.busy }
        defer { verifications.end() }
        let served = served(instance.app)
        if let problem = served.problem {
            throw ControlRefusal("\(instance.app) is failed: \(problem)")
        }
        try await refuseRollout(of: instance)
        let known = await served.deployer.publication(nil, of: version).release
        do {
            let release = try known ?? Release(version: version)
            return try await served.deployer.preflight(of: release, at: instance.number)
        } catch {
            throw ControlRefusal("\(instance.app) \(version) cannot be looked at: \(error)")
        }
    }

    private func snapshot(of instance: InstanceName) async -> InstanceSnapshot? {
        await feed.snapshot(of: instance.app)?.instances.first { $0.number == instance.number }
    }

    /// What was deployed to the instance, if some of it was upgraded in place.
    private func earlierVersions(of instance: InstanceName) async -> Set<String> {
        let history = await feed.snapshot(of: instance.app)?.history ?? []
        let own = history.filter { $0.instance == instance.number }
        guard own.contains(where: { $0.kind == .hotUpgrade }) else { return [] }
        return Set(own.map(\.version))
    }

    private func refuseRollout(of instance: InstanceName) async throws(ControlRefusal) {
        guard await feed.snapshot(of: instance.app)?.rollout?.instance == instance.number else {
            return
        }
        throw ControlRefusal("\(instance) is being deployed at the moment: try again")
    }

    private func node(
        of instance: InstanceSnapshot, _ served: ServedApplication
    ) -> Result<any RemoteNode, InstanceVerification.Obstacle> {
        guard instance.identity != nil else { return .failure(.init("the instance does not run")) }
        guard instance.usesDistribution else {
            return .failure(.init("the instance is no distribution node"))
        }
        guard instance.isConnected else {
            return .failure(.init("the instance's node is not connected"))
        }
        return .success(served.node(instance.number))
    }
}

extension ServedApplication {
    /// What is known of a release, and where its package is on this host.
    fileprivate func source(
        _ id: ReleaseID?, version: String
    ) async -> InstanceVerification.Source {
        let known = await deployer.publication(id, of: version)
        let release =
            known.release ?? (try? Release(version: version, hash: id?.hash ?? ""))
        guard let release else {
            return .init(release: nil, package: .failure(.init("\(version) is no version")))
        }
        guard known.isInStore || storage.folder == nil else {
            return .init(
                release: release,
                package: .failure(
                    .init(
                        "the package of \(version) in the store is another publication than the one "
                            + "that was deployed")))
        }
        do throws(StoreError) {
            guard let package = try await storage.localPackage(of: release) else {
                return .init(
                    release: release,
                    package: .failure(.init("the package of \(version) is not on this host")))
            }
            return .init(release: release, package: .success(package))
        } catch {
            return .init(release: release, package: .failure(.init("\(error)")))
        }
    }
}
