internal import Deployment

/// How a release behaves once it has been started.
package enum ReleaseBehaviour: Equatable, Sendable {
    case good
    /// Its application never starts.
    case neverReady
    /// It ends by itself after so long, every time.
    case crashing(after: Duration)
    /// It becomes ready and soon does not answer any more.
    case hanging
}

/// A published package: what stands in the store under its version.
package struct SimulatedPackage: Sendable {
    var release: Release
    /// Which bytes: the same version published again has others.
    var content: String
    var behaviour: ReleaseBehaviour
    /// Whether it can be unpacked at all.
    var isBroken: Bool
    /// From which versions it can be upgraded to in place.
    var upgradesInPlace: Bool
    /// Whether its pre-commands succeed.
    var preCommandsSucceed: Bool

    var isGood: Bool { behaviour == .good && !isBroken && preCommandsSucceed }
}

/// The store: one catalog and one package for each version.
struct SimulatedStore {
    enum Catalog: Equatable {
        case missing
        case garbage
        case names(version: String)
    }

    var catalog = Catalog.missing
    /// By version. What was published again has replaced what it was.
    var packages: [String: SimulatedPackage] = [:]
    private var publicationCount = 0

    mutating func publish(
        _ version: String, _ behaviour: ReleaseBehaviour, isBroken: Bool, upgradesInPlace: Bool,
        preCommands: [String], preCommandsSucceed: Bool
    ) {
        publicationCount += 1
        let content = "content-\(publicationCount)"
        let release: Release
        do throws(ReleaseError) {
            release = try Release(version: version, hash: content, preCommands: preCommands)
        } catch {
            preconditionFailure("\(error)")
        }
        packages[version] = SimulatedPackage(
            release: release, content: content, behaviour: behaviour, isBroken: isBroken,
            upgradesInPlace: upgradesInPlace, preCommandsSucceed: preCommandsSucceed)
        catalog = .names(version: version)
        contents[content] = packages[version]
    }

    /// Every package that there ever was, by its content.
    private(set) var contents: [String: SimulatedPackage] = [:]

    var named: SimulatedPackage? {
        if case .names(let version) = catalog { packages[version] } else { nil }
    }
}
