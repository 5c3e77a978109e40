internal import EPMD
internal import ErlDist
internal import Glibc
internal import Supervisor
internal import Transport

extension Verb {
    static let epmd = [
        Verb(
            name: "names", forms: ["names [HOST]"],
            summary: "list the nodes registered with EPMD",
            details: "Asks EPMD on HOST (this host when left out); ERL_EPMD_PORT is honoured.",
            argumentCount: 0...1
        ) { ListNames(host: $0.positional.first) },
        Verb(
            name: "epmd", forms: ["epmd [--daemon]"],
            summary: "run an Erlang port mapper daemon",
            details: """
                Serves ERL_EPMD_PORT (4369 by default) on ERL_EPMD_ADDRESS (all addresses by default).
                --daemon puts it into the background.
                """,
            ownOptions: [Option("--daemon", "run in the background")]
        ) { ServeEPMD(inBackground: $0.has("--daemon")) },
    ]
}

/// `deployex names [HOST]`: what `epmd -names` prints.
struct ListNames: Command {
    let host: String?

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try setting.epmd()
        let names: [EPMDName]
        do throws(EPMDError) {
            names =
                if let host { try await client.names(host: host) } else { try await client.names() }
        } catch {
            throw CommandFailure(unreachable: "\(error)")
        }
        for name in names { Output.line("name \(name.name) at port \(name.port)") }
        return .done
    }
}

extension CommandSetting {
    fileprivate func epmd() throws(UsageError) -> EPMDClient {
        try EPMDAccess.client(
            environment, loop: loop, trust: try CommandTrust.listeners(environment))
    }
}

/// `deployex epmd [--daemon]`
struct ServeEPMD: Command {
    let inBackground: Bool

    func prepare() throws(SystemError) {
        // The kernel has named this process after the link that started it.
        OwnProcess.setName("deployex")
        // A signal to all processes named `deployex` is not meant for this one, which also serves
        // others.
        for number in ServerSignal.harmless { signal(number, SIG_IGN) }
        try RootRights.renounceNewOnes()
    }

    func run(_ setting: CommandSetting) async throws -> Ending {
        if inBackground { return try await startInBackground(setting) }
        let refusals = Guarded<Set<String>>([])
        var limits = EPMDDaemon.Limits()
        limits.connectionCount = DescriptorLimit.raised.connectionCount(
            ofServer: limits.connectionCount)
        let daemon = EPMDDaemon(
            loop: setting.loop, limits: limits,
            peers: try EPMDAccess.admittedPeers(setting.environment),
            report: {
                // Log each text once, however often it comes: a stranger's input must not fill a
                // log.
                guard case .refused(let text) = $0,
                    refusals.withLock({ $0.count < 64 && $0.insert(text).inserted })
                else { return }
                Output.error("refused: \(text)")
            },
            userOfPeer: { (peer, own) throws(SystemError) in
                try ConnectingSocket.find(peer: peer, own: own)?.user
            })
        do {
            try await daemon.start(on: try await addresses(setting))
        } catch let error as EPMDError {
            throw UsageError("\(error)", "epmd")
        } catch {
            throw CommandFailure("\(error)")
        }
        // From here on this process needs no rights. Its listening sockets stay root's.
        if RootRights.areHeld {
            do throws(SystemError) {
                try RootRights.drop()
            } catch {
                // A container may lack the capability or the user. A host without EPMD has no
                // nodes, so go on.
                Output.error("warning: root's rights are kept: \(error)")
            }
        }
        await daemon.waitUntilStopped()
        return .done
    }

    /// Where to listen. If addresses are named, the loopback address that the own name resolves to,
    /// such as Debian's 127.0.1.1, is added: this host's BEAMs ask there.
    private func addresses(_ setting: CommandSetting) async throws -> [SocketAddress] {
        let named = try EPMDEnvironment.daemonAddresses(setting.environment)
        guard let port = named.first?.port, named != [.any(port: port)] else { return named }
        let own = await HostLookup.loopbackAddresses(
            of: OwnHost.machineName, port: port, on: setting.loop)
        return named + own.filter { !named.contains($0) }
    }

    /// Returns once an EPMD listens. One that already listens will do, as for `epmd -daemon`.
    private func startInBackground(_ setting: CommandSetting) async throws -> Ending {
        let client = try setting.epmd()
        let starter = EPMDStarter(
            environment: setting.environment, address: client.address, loop: setting.loop
        ) {
            if $0 == .error || $0 == .warning { Output.error($1) }
        }
        _ = try await starter.answer { () throws(EPMDError) in try await client.names() }
        return .done
    }
}
