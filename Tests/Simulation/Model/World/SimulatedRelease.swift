package import Deployment
package import Supervisor

/// The files of a release made up for the simulation: few, but each of them is needed.
///
/// ```
/// bin/APP   lib/APP-VERSION/ebin/APP.app   releases/start_erl.data   releases/VERSION/{APP.rel,start.boot,sys.config}
/// ```
package struct SimulatedRelease: Equatable, Sendable {
    package var application: String
    package var version: String
    package var hash: String

    package init(application: String, version: String, hash: String) {
        self.application = application
        self.version = version
        self.hash = hash
    }

    private static let erts = "13.1.5"

    var startData: [UInt8] { Array("\(Self.erts) \(version)".utf8) }

    /// What a cold start of this version needs, apart from the program and `start_erl.data`.
    var versionFiles: [(path: String, bytes: [UInt8])] {
        [
            (
                "lib/\(application)-\(version)/ebin/\(application).app",
                Array("{application,\(application),[{vsn,\"\(version)\"}]}. %% \(hash)\n".utf8)
            ),
            (
                "releases/\(version)/\(application).rel",
                Array(
                    """
                    {release,{"\(application)","\(version)"},{erts,"\(Self.erts)"},
                     [{kernel,"8.5.3"},{stdlib,"4.2"},{sasl,"4.2"},{\(application),"\(version)"}]}.

                    """.utf8)
            ),
            ("releases/\(version)/start.boot", Array("\(version) boots\n".utf8)),
            ("releases/\(version)/sys.config", Array("[{\(application),[]}].\n".utf8)),
        ]
    }

    private var program: [UInt8] {
        Array("#!/bin/sh\n# \(application) \(version) \(hash) #\n".utf8)
    }

    private static let libraries = ["kernel-8.5.3", "stdlib-4.2", "sasl-4.2"]

    private var files: [(path: String, bytes: [UInt8])] {
        [("bin/\(application)", program), ("releases/start_erl.data", startData)]
            + Self.libraries.map { ("lib/\($0)/ebin/\($0.prefix { $0 != "-" }).app", []) }
            + versionFiles
    }

    /// Does to the disk what unpacking a package does.
    /// - Parameters:
    ///   - release: what it is published as.
    ///   - appup: the versions from which it can be upgraded to in place.
    package func stage(
        in folder: String, as release: Release, _ disk: any FileSystem, appup: [String] = [],
        syncs: Bool = true
    ) throws(FileSystemError) {
        let staging = StagingFolder(path: folder, files: disk)
        let temporary = try staging.makeTemporary()
        for (path, bytes) in files { try Self.write(bytes, temporary, path, disk) }
        try disk.makeFolder("\(temporary)/erts-\(Self.erts)", mode: 0o755)
        if !appup.isEmpty {
            let path = "lib/\(application)-\(version)/ebin/\(application).appup"
            try Self.write(Array(Self.appup(to: version, from: appup).utf8), temporary, path, disk)
        }
        try ReleaseMarker.put(
            DeployedRelease(
                version: release.version, hash: release.hash, deployment: .fullDeployment),
            in: temporary, files: disk)
        guard syncs else { return try disk.rename(temporary, to: folder) }
        try staging.put(temporary)
    }

    /// What `make_permanent` does: two files, each truncated and written anew, neither synced.
    package func makePermanent(
        in folder: String, _ image: inout DiskImage
    ) throws(FileSystemError) {
        try image.overwrite("\(folder)/releases/start_erl.data", with: startData)
        try image.overwrite("\(folder)/releases/RELEASES", with: releasesFile)
    }

    private var releasesFile: [UInt8] {
        let libraries = (Self.libraries + ["\(application)-\(version)"])
            .map { name in
                let parts = name.split(separator: "-")
                return "{\(parts[0]),\"\(parts[1])\",\"lib/\(name)\"}"
            }
        return Array(
            """
            [{release,"\(application)","\(version)","\(Self.erts)",
              [\(libraries.joined(separator: ","))],permanent}].

            """.utf8)
    }

    private static func appup(to version: String, from versions: [String]) -> String {
        versions.filter { $0 != version }.map { old in
            "{\"\(version)\",[{\"\(old)\",[]}],[{\"\(old)\",[]}]}.\n"
        }.joined()
    }

    private static func write(
        _ bytes: [UInt8], _ folder: String, _ path: String, _ disk: any FileSystem
    ) throws(FileSystemError) {
        var parent = folder
        for name in DiskImage.names(of: path).dropLast() {
            parent += "/" + name
            try disk.makeFolder(parent, mode: 0o755)
        }
        let file = try disk.createFile("\(folder)/\(path)", mode: 0o644)
        try file.write(bytes[...])
    }
}

/// What stands in a release folder.
package enum StandingRelease: Equatable, Sendable {
    case nothing
    /// All that this version needs to boot is there, byte for byte.
    case whole(SimulatedRelease)
    case broken(String)

    package init(in folder: String, of application: String, _ image: DiskImage) {
        guard image.status(folder) != nil else {
            self = .nothing
            return
        }
        func text(_ path: String) -> String? {
            do throws(FileSystemError) {
                return String(
                    decoding: try image.read("\(folder)/\(path)", limit: .max), as: UTF8.self)
            } catch {
                return nil
            }
        }
        guard let program = text("bin/\(application)"),
            program.hasPrefix("#!/bin/sh\n# \(application) "), program.hasSuffix(" #\n")
        else {
            self = .broken("bin/\(application)")
            return
        }
        let words = (text("releases/start_erl.data") ?? "").split(separator: " ")
        guard words.count == 2 else {
            self = .broken("releases/start_erl.data")
            return
        }
        let version = String(words[1])
        let app = text("lib/\(application)-\(version)/ebin/\(application).app") ?? ""
        let hash = app.split(separator: " ").last.map { String($0.dropLast()) } ?? ""
        let release = SimulatedRelease(application: application, version: version, hash: hash)
        // A pristine sys.config is put back before every start.
        for (path, bytes) in release.versionFiles
        where (text(path + ".pristine") ?? text(path)) != String(decoding: bytes, as: UTF8.self) {
            self = .broken(path)
            return
        }
        self = .whole(release)
    }

    package var version: String? {
        if case .whole(let release) = self { release.version } else { nil }
    }
}
