import FoundationEssentials
import TestKit

/// Packages that are made by hand, in the shape of somebody's releases.
extension DeployexWorld {
    /// Puts a package into the storage, without naming it as current.
    /// - Parameters:
    ///   - base: a version of the example that `scripts` are added to.
    ///   - tree: a folder whose contents it is made of, instead.
    ///   - moves: what of it gets another name first.
    ///   - scripts: by path; they can be executed.
    ///   - files: by path.
    func place(
        _ application: String, _ version: String, over base: String? = nil, tree: String? = nil,
        moves: [String: String] = [:], scripts: [String: String] = [:],
        files: [String: String] = [:]
    ) throws {
        let release = tree ?? "\(folder)/made/\(application)-\(version)"
        try Files.makeFolders(release)
        let tar = try ThisHost.find("tar")
        if let base {
            let package = "\(try ExamplePackages.folder())/counter-\(base).tar.gz"
            try runWell(tar, ["-xzf", package, "-C", release])
        }
        for (from, to) in moves {
            try FileManager.default.moveItem(
                atPath: "\(release)/\(from)", toPath: "\(release)/\(to)")
        }
        for (contents, mode) in [(scripts, UInt32(0o755)), (files, 0o644)] {
            for (path, text) in contents {
                try Files.makeFolders(Files.parent(of: "\(release)/\(path)"))
                try Files.write(Array(text.utf8), "\(release)/\(path)", mode: mode)
            }
        }
        let dist = "\(storage)/dist/\(application)"
        try Files.makeFolders(dist)
        let package = "\(dist)/\(application)-\(version).tar.gz"
        try runWell(tar, ["-czf", package, "-C", release, "."])
    }

    /// Waits until all instances run a version, by what deployex says alone.
    func waitUntilStatus(_ version: String) throws {
        try wait("the status of all instances to be running \(version)", for: .seconds(60)) {
            guard let app = try status()?.apps.first else { return false }
            return app.instances.allSatisfy { $0.status == "running" && $0.version == version }
        }
    }

    private func runWell(_ path: String, _ arguments: [String]) throws {
        let result = try run(path, arguments)
        guard result.status == 0 else { throw TestFailure("\(path): \(result)") }
    }
}
