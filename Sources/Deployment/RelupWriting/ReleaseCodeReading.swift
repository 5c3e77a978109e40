internal import ExternalTermFormat
package import Supervisor

extension ReleaseCode {
    /// How many files one folder may have, and how deep the folders of native libraries may be.
    private static let maximumEntryCount = 10_000
    private static let maximumDepth = 8
    /// How many modules two releases together may have that are not byte for byte the same.
    private static let maximumModuleCount = 100_000

    /// Reads what differs between the release `from` in the folder `current` and the release `to`
    /// in the folder `staged`. It blocks. It reads each file once and keeps none.
    package static func read(
        from: String, in current: String, to: String, in staged: String, name: String,
        files: any FileSystem
    ) throws(FileSystemError) -> (old: ReleaseCode, new: ReleaseCode) {
        var old = try Reader(folder: current, name: name, version: from, files: files)
        var new = try Reader(folder: staged, name: name, version: to, files: files)
        // A protocol that only one of them has consolidated is compared with the application's.
        let halfConsolidated = old.protocolNames.symmetricDifference(new.protocolNames)
        try new.readProtocols(besides: old)
        try old.readProtocols(besides: new)
        for application in Set(old.names + new.names).sorted() {
            let modules = try old.moduleNames(of: application)
                .union(new.moduleNames(of: application))
            for module in modules.sorted() {
                let before = try old.module(module, of: application)
                let after = try new.module(module, of: application)
                guard before != after || halfConsolidated.contains(module) else { continue }
                try old.take(before, module, of: application)
                try new.take(after, module, of: application)
            }
        }
        return (old.release, new.release)
    }

    /// Reads one release piece by piece.
    private struct Reader {
        let folder: String
        let files: any FileSystem
        var release: ReleaseCode
        var protocolNames: Set<String> = []
        private var folders: [String: String] = [:]
        private var count = 0

        var names: [String] { release.applications.map(\.name) }
        private var consolidated: String { "\(folder)/releases/\(release.version)/consolidated" }

        init(
            folder: String, name: String, version: String, files: any FileSystem
        ) throws(FileSystemError) {
            self.folder = folder
            self.files = files
            let contents = try ReleaseContents.read(
                folder, name: name, version: version, files: files)
            release = ReleaseCode(version: version, applications: [])
            for application in contents.applications {
                guard isPathComponent(application.name), let library = application.folderName
                else { throw .unusable("\(application.name) does not belong into a path") }
                folders[application.name] = "\(folder)/lib/\(library)"
                release.applications.append(try read(application))
            }
            release.isConsolidated = try files.status(consolidated)?.kind == .folder
            protocolNames = Set(try beams(in: consolidated))
        }

        private func read(
            _ contents: ReleaseContents.Application
        ) throws(FileSystemError) -> Application {
            var application = Application(name: contents.name, version: contents.version)
            application.type = contents.type
            application.included = contents.included
            let folder = folders[contents.name] ?? ""
            let path = "\(folder)/ebin/\(contents.name).app"
            let bytes = try ErlangFile.read(
                path, limit: ReleaseContents.maximumByteCount, files: files)
            // An application of an emulator outside of the release has no folder here.
            guard let bytes else { return application }
            do throws(FileSystemError) {
                try read(try ApplicationFile(bytes), into: &application, folder)
            } catch {
                throw .unusable("\(path): \(error)")
            }
            return application
        }

        private func read(
            _ file: ApplicationFile, into application: inout Application, _ folder: String
        ) throws(FileSystemError) {
            application.needs = file.names("applications") + file.names("optional_applications")
            application.included += file.names("included_applications")
            if let pair = file["mod"]?.asTuple, pair.count == 2, let module = pair[0].asAtom?.name {
                var start = Start(
                    module: module, argument: pair[1], phases: file["start_phases"])
                let path = "\(folder)/ebin/\(module).beam"
                if isPathComponent(module), try files.status(path)?.kind == .file {
                    let beam = try BeamFile(
                        try files.read(path, limit: BeamFile.maximumByteCount))
                    start.hearsOfConfiguration = try beam.exports().contains(
                        .init(name: "config_change", arity: 3))
                }
                application.start = start
            }
            application.libraries = try libraries(in: "\(folder)/priv", "priv")
            let manifest = "\(folder)/priv/static/cache_manifest.json"
            if try files.status(manifest)?.kind == .file {
                application.manifest = try files.sha256(manifest)
            }
        }

        /// The libraries of native code below a folder.
        private func libraries(
            in folder: String, _ name: String, depth: Int = 0
        ) throws(FileSystemError) -> [String: [UInt8]] {
            guard depth < maximumDepth, try files.status(folder)?.kind == .folder else {
                return [:]
            }
            var found: [String: [UInt8]] = [:]
            for entry in try list(folder) {
                let path = "\(folder)/\(entry)"
                switch try files.status(path)?.kind {
                case .folder:
                    let deeper = try libraries(in: path, "\(name)/\(entry)", depth: depth + 1)
                    found.merge(deeper) { first, _ in first }
                case .file where entry.hasSuffix(".so") || entry.contains(".so."):
                    found["\(name)/\(entry)"] = try files.sha256(path)
                case .file, .symbolicLink, .other, nil: break
                }
            }
            return found
        }

        private func list(_ folder: String) throws(FileSystemError) -> [String] {
            let names = try files.list(folder)
            guard names.count <= maximumEntryCount else {
                throw .unusable("\(folder) has \(names.count) entries")
            }
            return names
        }

        private func beams(in folder: String) throws(FileSystemError) -> [String] {
            guard try files.status(folder)?.kind == .folder else { return [] }
            return try list(folder).filter { $0.hasSuffix(".beam") }.map { String($0.dropLast(5)) }
        }

        func moduleNames(of application: String) throws(FileSystemError) -> Set<String> {
            guard let folder = folders[application] else { return [] }
            return Set(try beams(in: "\(folder)/ebin"))
        }

        /// The file of a module; `nil` if there is none.
        func module(
            _ name: String, of application: String
        ) throws(FileSystemError) -> [UInt8]? {
            guard let folder = folders[application] else { return nil }
            return try ErlangFile.read(
                "\(folder)/ebin/\(name).beam", limit: BeamFile.maximumByteCount, files: files)
        }

        mutating func take(
            _ file: [UInt8]?, _ module: String, of application: String
        ) throws(FileSystemError) {
            guard let file,
                let index = release.applications.firstIndex(where: { $0.name == application })
            else { return }
            release.applications[index].modules[module] = try code(file, module)
        }

        /// Reads the consolidated protocols that the other release does not have byte for byte.
        mutating func readProtocols(besides other: Reader) throws(FileSystemError) {
            for name in protocolNames {
                let file = try self.consolidated(name)
                if other.protocolNames.contains(name), try other.consolidated(name) == file {
                    // What it is does not matter, but that it is one.
                    release.consolidated[name] = ModuleCode(digest: [])
                } else {
                    release.consolidated[name] = try code(file, name)
                }
            }
        }

        private func consolidated(_ name: String) throws(FileSystemError) -> [UInt8] {
            try files.read("\(consolidated)/\(name).beam", limit: BeamFile.maximumByteCount)
        }

        private mutating func code(
            _ file: [UInt8], _ module: String
        ) throws(FileSystemError) -> ModuleCode {
            count += 1
            guard count <= maximumModuleCount else {
                throw .unusable("\(folder) has more than \(maximumModuleCount) modules")
            }
            do throws(FileSystemError) {
                return try ModuleCode(file, name: module)
            } catch {
                throw .unusable("\(module).beam in \(folder): \(error)")
            }
        }
    }
}
