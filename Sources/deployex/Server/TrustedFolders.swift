internal import Deployment
internal import Supervisor
internal import Transport

/// The folders that deployex works in. Only trusted users may be able to change them. All of it
/// blocks.
struct TrustedFolders: Sendable {
    let configuration: ServerConfiguration

    init(_ configuration: ServerConfiguration) {
        self.configuration = configuration
    }

    /// Checks all folders, and makes nothing. For a missing folder, it checks the folders above it.
    /// - Returns: the applications that cannot be begun, each with the reason.
    /// - Throws: if deployex itself cannot work.
    func check() throws(PathTrustError) -> [String: PathTrustError] {
        try base.check(configuration.basePath, as: .folder)
        if configuration.keepsOwnLog {
            try logs(TrustedUsers()).check("\(configuration.logPath)/deployex", as: .folder)
        }
        var refusals: [String: PathTrustError] = [:]
        for application in configuration.applications {
            do throws(PathTrustError) {
                if case .folder(let path) = application.storage.place {
                    try FolderStore.trust(configuration.trustedUsers).check(path, as: .folder)
                }
                try logs(configuration.trustedUsers)
                    .check(logFolder(application), as: .folder)
            } catch {
                refusals[application.name] = error
            }
        }
        return refusals
    }

    /// Makes the base folder, with access only for its owner, if it is missing, and opens it.
    func openBase() throws(FileSystemError) -> FileDescriptor {
        let path = configuration.basePath
        let folder: FileDescriptor
        do throws(PathTrustError) {
            folder = try base.makeFolder(path, mode: 0o700)
        } catch {
            throw .untrusted(error)
        }
        // The folder exists now, so this only checks its mode and its owner.
        try HostFileSystem().makePrivateFolder(path)
        return folder
    }

    /// Makes the folder for an application's logs, mode 0750, if it is missing.
    func makeLogFolder(_ application: ApplicationConfiguration) throws(PathTrustError) {
        _ = try logs(configuration.trustedUsers).makeFolder(logFolder(application), mode: 0o750)
    }

    private func logFolder(_ application: ApplicationConfiguration) -> String {
        LogFiles(root: configuration.logPath).folder(app: application.name)
    }

    private var base: PathTrust {
        PathTrust(remedy: "set DEPLOYEX_BASE_PATH (base_path) to another folder")
    }

    /// A user who can publish can have anything run, and so may own the folder of the logs, too.
    private func logs(_ users: TrustedUsers) -> PathTrust {
        var trust = LogOpening.trust(users)
        trust.mayNameUsers = users == configuration.trustedUsers
        trust.remedy = "set DEPLOYEX_LOG_PATH (log_path) to another folder"
        return trust
    }
}
