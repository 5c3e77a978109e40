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
        let daemon = EPMDDaemon(
            loop: loop, peers: try EPMDAccess.admittedPeers(environment),
            report: {
                // Each once, however often: what comes from a stranger must not fill a log.
                guard case .refused(let text) = $0,
                    refusals.withLock({ $0.count < 64 && $0.insert(text).inserted })
                else { return }
                Output.error("refused: \(text)")
            },
            userOfPeer: { peer, own in ConnectingUser.id(peer: peer, own: own) })
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
                throw CommandFailure("\(error)", exitCode: ExitCode.refused)
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
        var hasStarted = false
        while true {
            do throws(EPMDError) {
                _ = try await client.names()
                return ExitCode.done
            } catch {
                guard case .unreachable = error, MonotonicTime.now < deadline else {
                    throw CommandFailure("\(error)", exitCode: ExitCode.unreachable)
                }
            }
            if !hasStarted { try await EPMDProcess.start(environment: environment, loop: loop) }
            hasStarted = true
            await loop.sleep(for: .milliseconds(20))
        }
    }
}
