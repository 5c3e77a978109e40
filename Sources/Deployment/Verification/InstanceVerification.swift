internal import Glibc
package import Supervisor
internal import Transport

/// Compares an instance's files and the code that its node has loaded with the package that was
/// deployed.
package struct InstanceVerification: Sendable {
    package var application: String
    package var instance: InstanceName
    package var current: DeployedRelease
    /// The versions that deployex has deployed to the instance before: what is left of them in the
    /// folder after an upgrade in place, or a way back from one, is compared with their packages.
    package var earlierVersions: Set<String>
    /// The release's folder.
    package var folder: String
    package var files: any FileSystem
    /// The keys that packages must be signed with; `nil` if they need no signature.
    package var publicKeys: PublicKeysFile?
    /// What is known of a release, and where its package is, without getting it from anywhere.
    package var source: @Sendable (ReleaseID?, _ version: String) async -> Source
    /// The instance's node, or why it cannot be asked.
    package var node: Result<any RemoteNode, Obstacle>

    package struct Obstacle: Error {
        package var text: String

        package init(_ text: String) {
            self.text = text
        }
    }

    package struct Source: Sendable {
        package var release: Release?
        package var package: Result<LocalPackage, Obstacle>

        package init(release: Release?, package: Result<LocalPackage, Obstacle>) {
            self.release = release
            self.package = package
        }
    }

    /// Packages of more earlier releases are not read.
    private static let maximumEarlierCount = 5
    /// With more members of all packages together, no further package is read.
    private static let maximumMemberCount = 200_000

    package init(
        application: String, instance: InstanceName, current: DeployedRelease,
        earlierVersions: Set<String>, folder: String, files: any FileSystem,
        publicKeys: PublicKeysFile?,
        source: @escaping @Sendable (ReleaseID?, _ version: String) async -> Source,
        node: Result<any RemoteNode, Obstacle>
    ) {
        self.application = application
        self.instance = instance
        self.current = current
        self.earlierVersions = earlierVersions
        self.folder = folder
        self.files = files
        self.publicKeys = publicKeys
        self.source = source
        self.node = node
    }

    /// What was read from the disk.
    private struct Material: Sendable {
        var package: PackageContents?
        /// By version, after upgrades in place; `nil` for a package that is gone.
        var earlier: [String: PackageContents?] = [:]
        var installed = InstalledFiles()
        var holdsEmulator = false
        /// The paths by which the node may know the release's folder.
        var folders: [String] = []
        var report: VerificationReport

        /// The digest of each module's code: of the package, or else of the installed file.
        var code: [String: [UInt8]] { package?.code ?? installed.code }
    }

    package func report() async -> VerificationReport {
        var report = VerificationReport()
        report.instance = "\(instance)"
        report.version = current.version
        report.hash = current.hash
        report.deployment = current.deployment.rawValue
        let source = await source(current.id, current.version)
        var earlier: [String: Source] = [:]
        for version in await offload({ otherVersions() }) {
            guard earlier.count < Self.maximumEarlierCount else {
                earlier[version] = Source(
                    release: nil, package: .failure(Obstacle("it is one of too many")))
                continue
            }
            earlier[version] = await self.source(nil, version)
        }
        let (begun, packages) = (report, earlier)
        let material = await offload { read(source, packages, begun) }
        report = material.report
        do {
            let modules = try await LoadedModule.all(of: node.get())
            let comparison = await offload {
                ModuleComparison(modules, with: material.code, folders: material.folders)
            }
            report.add(
                comparison, emulatorIsCompared: material.package == nil || material.holdsEmulator)
        } catch let obstacle as Obstacle {
            report.unchecked.append("the loaded code: \(obstacle.text)")
        } catch {
            report.unchecked.append("the loaded code: \(error)")
        }
        report.conclude()
        return report
    }

    // MARK: Reading, which blocks

    /// The other versions that the folder has, as far as deployex has brought them there.
    private func otherVersions() -> [String] {
        guard let names = try? files.list("\(folder)/releases") else { return [] }
        return names.filter { name in
            name != current.version && earlierVersions.contains(name)
                && fileKind(of: "\(folder)/releases/\(name)", files) == .folder
        }
    }

    private func read(
        _ source: Source, _ earlier: [String: Source],
        _ begun: VerificationReport
    ) -> Material {
        var material = Material(report: begun)
        material.folders = [folder]
        if let resolved = Self.resolved(folder), resolved != folder {
            material.folders.append(resolved)
        }
        do {
            let package = try source.package.get()
            material.report.package = package.path
            let contents = try PackageContents.read(package)
            material.report.sha256 = contents.sha256
            material.package = contents
            material.holdsEmulator = contents.holdsEmulator
            check(contents, package, source.release, current.version, &material.report)
        } catch let obstacle as Obstacle {
            material.report.unchecked.append("the files: \(obstacle.text)")
        } catch {
            material.report.unchecked.append("the files: \(error)")
        }
        var memberCount = material.package?.members.count ?? 0
        for (version, source) in earlier {
            var contents: PackageContents?
            if memberCount < Self.maximumMemberCount, let package = try? source.package.get(),
                let found = try? PackageContents.read(package)
            {
                // One that cannot be read, or is not the one that was published, excuses nothing, as
                // one that is gone.
                var checked = VerificationReport()
                check(found, package, source.release, version, &checked)
                if checked.problems.isEmpty { contents = found }
            }
            memberCount += contents?.members.count ?? 0
            material.earlier[version] = .some(contents)
        }
        let packages =
            [material.package].compactMap { $0 } + material.earlier.values.compactMap { $0 }
        // `RELEASE_TMP` comes and goes, and nobody publishes it.
        let isTemporaryPublished = packages.contains { package in
            package.members.keys.contains { $0.hasPrefix("tmp/") }
        }
        material.installed = InstalledFiles.read(
            folder, files: files, ignoring: isTemporaryPublished ? [] : ["tmp"],
            wantsCode: material.package == nil || !earlier.isEmpty
        ) { path in
            let name =
                path.hasSuffix(FileComparison.pristineSuffix)
                ? String(path.dropLast(FileComparison.pristineSuffix.utf8.count)) : path
            return packages.contains { $0.members[name] != nil }
        }
        if let package = material.package {
            if !package.unreadableModules.isEmpty {
                material.report.unchecked.append(
                    "the code of \(listed(package.unreadableModules)), which are no beam files")
            }
            material.report.add(
                FileComparison(
                    material.installed, with: package, application: application,
                    version: current.version, earlier: material.earlier))
        }
        return material
    }

    /// Checks the package itself: by the digest that was published with it, and by its signature.
    private func check(
        _ contents: PackageContents, _ package: LocalPackage, _ release: Release?,
        _ version: String, _ report: inout VerificationReport
    ) {
        report.publishedSHA256 = release?.sha256
        if let published = release?.sha256, published != contents.sha256 {
            report.problems.append(
                "the package's sha256 is \(contents.sha256), and \(published) was published")
        }
        guard let publicKeys else {
            report.signature = "not checked: no public keys are configured"
            return
        }
        do throws(SignatureProblem) {
            let keys = try converting(SignatureProblem.keys, publicKeys.read())
            let signature = try MinisignSignature.read(
                package.signaturePath, owners: package.owners)
            try signature.verify(
                contents.blake2b512,
                as: SignedRelease(
                    application: application, version: version, sha256: contents.sha256,
                    preCommands: release?.preCommands ?? []),
                by: keys, mayOmitPreCommands: true)
            report.signature = "verified: \(signature.trustedComment)"
        } catch {
            report.signature = "wrong"
            report.problems.append("the package's signature: \(error)")
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

extension PackageContents {
    /// Whether the emulator's own file is in the package, so that it is compared with the others.
    var holdsEmulator: Bool {
        members.keys.contains { $0.hasPrefix("erts-") && $0.hasSuffix("/bin/beam.smp") }
    }
}
