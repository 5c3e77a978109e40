internal import EPMD
internal import Glibc
internal import Supervisor
internal import Transport

/// `deployex names` and `deployex epmd`.
struct EPMDCommands {
    let environment: [String: String]
    let loop: EventLoop

    /// `deployex names [HOST]`: what `epmd -names` prints.
    func names(host: String?) async throws -> Int32 {
        let client = try EPMDAccess.client(
            environment, loop: loop, trust: try CommandTrust.listeners(environment))
        let names: [EPMDName]
        do throws(EPMDError) {
            names =
                if let host { try await client.names(host: host) } else { try await client.names() }
        } catch {
            throw CommandFailure("\(error)", exitCode: ExitCode.unreachable)
        }
        for name in names { Output.line("name \(name.name) at port \(name.port)") }
        return ExitCode.done
    }

    /// `deployex epmd [--daemon]`
    func serve(inBackground: Bool) async throws -> Int32 {
        if inBackground { return try await startInBackground() }
        let refusals = Guarded<Set<String>>([])
        var limits = EPMDDaemon.Limits()
        limits.connectionCount = DescriptorLimit.raised.connectionCount(
            ofServer: limits.connectionCount)
        let daemon = EPMDDaemon(
            loop: loop, limits: limits, peers: try EPMDAccess.admittedPeers(environment),
            report: {
                // Each once, however often: what comes from a stranger must not fill a log.
                guard case .refused(let text) = $0,
                    refusals.withLock({ $0.count < 64 && $0.insert(text).inserted })
                else { return }
                Output.error("refused: \(text)")
            },
            userOfPeer: { (peer, own) throws(SystemError) in
                try ConnectingSocket.find(peer: peer, own: own)?.user
            })
        do {
            try await daemon.start(on: try EPMDEnvironment.daemonAddresses(environment))
        } catch let error as EPMDError {
            throw UsageError("\(error)", .epmd)
        } catch {
            throw CommandFailure("\(error)", exitCode: ExitCode.refused)
        }
        // What it does from here on needs no rights; its listening sockets stay root's.
        if RootRights.areHeld {
            do throws(SystemError) {
                try RootRights.drop()
            } catch {
                // As in a container that lacks the capability or the user: a host without EPMD has no nodes.
                Output.error("warning: root's rights are kept: \(error)")
            }
        }
        await daemon.waitUntilStopped()
        return ExitCode.done
    }

    /// Returns once an EPMD listens; one that listens already will do, as for `epmd -daemon`.
    private func startInBackground() async throws -> Int32 {
        let client = try EPMDAccess.client(
            environment, loop: loop, trust: try CommandTrust.listeners(environment))
        let deadline = MonotonicTime.now + .seconds(5)
        var started: EPMDProcess?
        while true {
            // Before asking: another one may listen, because of which this one has ended.
            let end = started?.end
            do throws(EPMDError) {
                _ = try await client.names()
                for line in started?.lines ?? [] { Output.error(line) }
                return ExitCode.done
            } catch {
                guard case .unreachable = error, MonotonicTime.now < deadline, end == nil else {
                    throw CommandFailure(end ?? "\(error)", exitCode: ExitCode.unreachable)
                }
            }
            if started == nil {
                started = try await EPMDProcess.start(environment: environment, loop: loop)
            }
            await loop.sleep(for: .milliseconds(20))
        }
    }
}
