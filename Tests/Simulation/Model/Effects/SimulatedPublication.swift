internal import Deployment
internal import Supervisor
internal import TestKit
internal import Transport

/// The store as one simulated deployex reads it, and its packages as it unpacks them.
final class SimulatedPublication: ReleaseStore, @unchecked Sendable {
    private unowned let deployex: SimulatedDeployex
    private var world: SimulatedWorld { deployex.world }
    private var loop: SimulatedLoop { deployex.loop }

    init(_ deployex: SimulatedDeployex) {
        self.deployex = deployex
    }

    let catalog = "the catalog"

    private func unavailable(_ reason: String) -> StoreError {
        .unavailable(address: catalog, reason: reason)
    }

    func current() async throws(StoreError) -> Release? {
        await loop.pause(.milliseconds(1) ... .milliseconds(400))
        if world.isLost(.losesReads) { await loop.pause(.seconds(9999) ... .seconds(9999)) }
        guard !loop.hasEnded else { throw unavailable("deployex has ended") }
        switch world.store.catalog {
        case .missing: return nil
        case .garbage: throw unavailable("it is garbage")
        case .names:
            let release = world.store.named?.release
            if let release { deployex.namedHashes[release.version] = release.hash }
            return release
        }
    }

    func package(
        of release: Release, into folder: String
    ) async throws(StoreError) -> LocalPackage {
        await loop.pause(.milliseconds(50) ... .seconds(4))
        guard !loop.hasEnded, world.store.packages[release.version] != nil else {
            throw unavailable("there is no package")
        }
        // Any file will do for `unpack_release`: what is staged says what is in it.
        return LocalPackage(path: "\(folder)/new/releases/start_erl.data")
    }

    func unpack(
        _ package: LocalPackage, into folder: String, _ release: Release
    ) async throws -> UnpackSummary {
        do {
            return try await loop.offload { [self] in try stage(folder, release) }
        } catch {
            // As if nobody had asked: the answer never comes.
            if world.sabotage == .losesFailures {
                await loop.pause(.seconds(9999) ... .seconds(9999))
            }
            throw error
        }
    }

    func copy(_ unpacked: String, into folder: String, _ release: Release) async throws {
        try await loop.offload { [self] in
            let standing = StandingRelease(
                in: unpacked, of: Scenario.application, world.disk.image)
            guard case .whole(let content) = standing,
                let package = world.store.contents[content.hash]
            else { throw unavailable("\(standing) is unpacked") }
            try stage(content, package, in: folder, release)
        }
    }

    private func stage(_ folder: String, _ release: Release) throws -> UnpackSummary {
        guard let package = world.store.packages[release.version], !package.isBroken else {
            throw unavailable("the package is broken")
        }
        let content = SimulatedRelease(
            application: Scenario.application, version: release.version, hash: package.content)
        try stage(content, package, in: folder, release)
        return UnpackSummary(entryCount: 1, byteCount: 1)
    }

    private func stage(
        _ content: SimulatedRelease, _ package: SimulatedPackage, in folder: String,
        _ release: Release
    ) throws {
        try content.stage(
            in: folder, as: release, deployex.files,
            appup: package.upgradesInPlace ? Scenario.versions : [],
            syncs: world.sabotage != .stagesWithoutSync)
    }
}
