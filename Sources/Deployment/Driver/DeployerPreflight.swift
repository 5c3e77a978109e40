package import Supervisor
internal import Transport

// What would happen if a release came to an instance, without doing it.

extension Deployer {
    /// Unpacks the release's package beside the instance's folders, compares, asks its node, and
    /// removes what was unpacked. The instance stays as it is.
    /// - Throws: why the package cannot be had or unpacked.
    package func preflight(
        of release: Release, at number: InstanceNumber
    ) async throws -> PreflightReport {
        let folder = effects.layout.trial(number)
        try await removeTrial(folder)
        let report: PreflightReport
        do {
            report = try await preflight(of: release, at: number, in: folder)
        } catch {
            try await removeTrial(folder)
            throw error
        }
        try await removeTrial(folder)
        return report
    }

    private func preflight(
        of release: Release, at number: InstanceNumber, in folder: String
    ) async throws -> PreflightReport {
        let layout = effects.layout
        try await makeFolders(number)
        let package = try await effects.store.package(
            of: release, into: layout.instanceFolder(number))
        _ = try await effects.unpack(package, folder, release)
        let current = snapshot?.instances[number].current
        var report = PreflightReport()
        report.instance = "\(InstanceName(app: application, number: number))"
        (report.from, report.version, report.hash) = (
            current?.version, release.version, release.hash
        )
        report.result = "full_deployment"
        let isConnected = snapshot?.instances[number].isConnected ?? false
        let decision = await HotUpgrade.decide(
            from: current?.version, isConnected: isConnected, to: release.version,
            name: application, current: layout.current(number), staged: folder,
            mode: configuration.hotUpgrade, files: effects.files, loop: loop)
        guard case .hotUpgrade(let from, _) = decision else {
            if case .fullDeployment(let reason) = decision { report.reason = "\(reason)" }
            return report
        }
        if let id = current?.id, latestRecord?.hasFailed(.init(from: id, to: release.id)) == true {
            report.reason = "this hot upgrade has failed before"
            return report
        }
        guard snapshot?.instances[number].status == .running else {
            report.reason = "the instance is not ready"
            return report
        }
        let upgrade = upgrade(number, from: from, to: release, staged: folder)
        switch await HotUpgrade.prepare(
            upgrade.plan, files: upgrade.files, evaluation: upgrade.evaluation, loop: loop)
        {
        case .ready(let preparation):
            report.result = "hot_upgrade"
            report.add(preparation)
            report.add(await Preflight(node: effects.node(number)).findings(preparation))
        case .failed(let reason): report.reason = reason
        case .cannotBoot(let reason), .hindered(let reason):
            (report.result, report.reason) = ("none", reason)
        }
        return report
    }

    private func removeTrial(_ folder: String) async throws {
        let staging = StagingFolder(path: folder, files: effects.files)
        try await loop.offload {
            try staging.remove()
            try staging.cleanLeftovers()
        }
    }
}
