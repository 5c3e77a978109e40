internal import ErlDist
internal import Supervisor
internal import Transport

/// The deployex of this host as a command finds it: its base folder, and what `deployex start` has
/// left there.
struct LocalDeployex: Sendable {
    /// The base folder that is meant, whether or not it exists.
    let base: String
    let record: NodeRecord?
    /// Why what is in the folder is not believed.
    let obstacle: String?
    /// Another user's name whose folder it is, so that this user's commands do not read it.
    var otherUser: String?

    /// Looks where the configuration or the variables say, else in the default folders: first for
    /// a deployex that runs, then for what one has left. It blocks.
    static func find(_ environment: [String: String]) throws(UsageError) -> LocalDeployex {
        let (bases, problem) = try bases(environment)
        var (ended, refused): (LocalDeployex?, LocalDeployex?)
        for base in bases {
            switch NodeRecord.read(in: base, owners: CommandTrust.fileOwners(base: base)) {
            case .absent: continue
            case .refused(let text):
                refused =
                    refused
                    ?? LocalDeployex(
                        base: base, record: nil, obstacle: text,
                        otherUser: CommandTrust.otherOwner(base: base).flatMap {
                            UserDatabase.user(id: $0)?.name
                        })
            case .found(let record):
                let found = LocalDeployex(base: base, record: record, obstacle: problem)
                if record.process.isRunning { return found }
                ended = ended ?? found
            }
        }
        return ended ?? refused ?? LocalDeployex(base: bases[0], record: nil, obstacle: problem)
    }

    /// The folders to look in, the first choice first, and why the configuration file could not be
    /// asked.
    static func bases(
        _ environment: [String: String]
    ) throws(UsageError) -> (bases: [String], problem: String?) {
        var sources = [Settings.Source.variables(environment)]
        var problem: String?
        let file = environment["DEPLOYEX_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        if let file {
            do throws(UsageError) {
                let host = try ConfigurationFile.read(file).host
                sources.insert(.file(path: file, prefix: "", members: host), at: 0)
            } catch {
                // The user of a command need not have the right to read it.
                problem = error.message
            }
        }
        let settings = Settings(sources)
        let cloud = try settings.value(.cloudEnvironment)?.pathComponent()
        if let path = try settings.value(.basePath)?.path() { return ([path], problem) }
        if cloud != nil { return ([ServerConfiguration.cloudBasePath], problem) }
        return ([ServerConfiguration.cloudBasePath, ServerConfiguration.localBasePath], problem)
    }

    /// Whether the deployex that has left the record has ended.
    var hasEnded: Bool { record.map { !$0.process.isRunning } ?? false }

    // MARK: What it says

    /// What a command connects by. What one that has ended has left counts only for a user without
    /// `~/.erlang.cookie`: with it, the user means nodes of which the record says nothing. It
    /// blocks.
    func usable(_ environment: [String: String], owners: TrustedUsers) -> LocalDeployex {
        guard hasEnded else { return self }
        do throws(UsageError) {
            guard try Cookie.ofHome(environment, owners) != nil else { return self }
            return LocalDeployex(
                base: base, record: nil, obstacle: obstacle, otherUser: otherUser)
        } catch {
            // A file that nobody may take a cookie from is as good as none.
            return self
        }
    }

    /// `environment`, with the ports and folders of the record where it says nothing of them.
    func completing(_ environment: [String: String]) -> [String: String] {
        var environment = environment
        guard let record else { return environment }
        func set(_ name: String, _ value: String?) {
            guard let value, environment[name]?.isEmpty ?? true else { return }
            environment[name] = value
        }
        set("ERL_EPMD_PORT", "\(record.epmdPort)")
        set("DEPLOYEX_OTP_TLS_CERT_PATH", record.tls?.certificateFolder)
        return environment
    }

    /// `options`, with the kind of name and the TLS of the record where they say nothing of them.
    func completing(_ options: DistributionOptions) -> DistributionOptions {
        var options = options
        guard let record else { return options }
        if options.name == nil { options.usesLongNames = record.usesLongNames }
        if options.usesTLS == nil, options.tlsOptionsFile == nil, let tls = record.tls {
            options.usesTLS = true
            options.tlsOptionsFile = tls.optionsFile
        }
        return options
    }
}
