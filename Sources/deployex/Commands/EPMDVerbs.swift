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
            name: "epmd", forms: ["epmd [--daemon | --stop]"],
            summary: "run an Erlang port mapper daemon",
            details: """
                Serves ERL_EPMD_PORT (4369 by default) on ERL_EPMD_ADDRESS (all addresses by default).
                --daemon puts it into the background. --stop ends the one that runs, if no node is
                registered with it.
                """,
            ownOptions: [
                Option("--daemon", "run in the background"),
                Option("--stop", "end the one that runs"),
            ]
        ) { (arguments) throws(UsageError) in
            guard arguments.has("--stop") else {
                return ServeEPMD(inBackground: arguments.has("--daemon"))
            }
            guard !arguments.has("--daemon") else {
                throw arguments.failure("--stop ends an EPMD, and --daemon starts one")
            }
            return StopEPMD()
        },
    ]
}

/// `deployex names [HOST]`: what `epmd -names` prints.
struct ListNames: Command {
    let host: String?

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try setting.epmd(try setting.local())
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

/// `deployex epmd --stop`
struct StopEPMD: Command {
    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try setting.epmd(try setting.local())
        let end: EPMDEnd
        do throws(EPMDError) {
            end = try await EPMDEnd.end(client, within: .zero, on: setting.loop)
        } catch {
            throw CommandFailure(unreachable: "\(error)")
        }
        guard case .needed(let names) = end else {
            Output.line("EPMD at \(client.address) has ended")
            return .done
        }
        guard !names.isEmpty else {
            throw CommandFailure("EPMD at \(client.address) goes on, and does not say for whom")
        }
        throw CommandFailure(
            "EPMD at \(client.address) goes on: \(names.joined(separator: ", ")) "
                + (names.count == 1 ? "is" : "are") + " registered")
    }
}

extension CommandSetting {
    /// - Parameter local: whose EPMD it is, where the environment does not say which one.
    fileprivate func epmd(_ local: LocalDeployex?) throws(UsageError) -> EPMDClient {
        let found = if let local { local } else { try self.local() }
        let environment = local?.completing(environment) ?? environment
        return try EPMDAccess.client(
            environment, loop: loop,
            trust: try CommandTrust.listeners(environment, base: found.base))
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
            report: { event in
                switch event {
                case .refused(let text):
                    // Log each text once, however often it comes: a stranger's input must not fill
                    // a log.
                    guard refusals.withLock({ $0.count < 64 && $0.insert(text).inserted })
                    else { return }
                    Output.error("refused: \(text)")
                case .skipped(let error):
                    // A host without IPv6 has no nodes that ask there.
                    guard ![EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.code) else { return }
                    Output.error("warning: \(error)")
                case .registered, .unregistered, .killed: break
                }
            },
            userOfPeer: { (peer, own) throws(SystemError) in
                try ConnectingSocket.find(peer: peer, own: own)?.user
            })
        do {
            let addresses = try await addresses(setting)
            try await daemon.start(
                on: addresses,
                alsoOn: EPMDEnvironment.daemonAddressesOfIPv6(beside: addresses))
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
        let client = try setting.epmd(nil)
        let starter = EPMDStarter(
            environment: setting.environment, address: client.address, loop: setting.loop
        ) {
            if $0 == .error || $0 == .warning { Output.error($1) }
        }
        _ = try await starter.answer { () throws(EPMDError) in try await client.names() }
        return .done
    }
}
