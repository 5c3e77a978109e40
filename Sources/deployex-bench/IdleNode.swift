internal import EPMD
internal import ErlDist
internal import Glibc
internal import TestKit
internal import Transport

/// A node that is registered and does nothing: what it takes to be there, against a BEAM that does the
/// same.
enum IdleNode {
    /// Runs the node until stdin ends. It listens, it is registered, and it would answer a ping.
    static func serve(_ options: NodeOptions, on loop: EventLoop) async throws {
        let wire: Wire = options.tlsOptionsFile == nil ? .tcp : .tls
        let name = try NodeName("\(options.name)@\(wire.host)")
        let epmd = EPMDClient(address: .loopback(port: options.epmdPort), loop: loop)
        let node = Node(
            name: name, cookie: "idle", loop: loop, configuration: try options.configuration(),
            resolver: epmd.resolver)
        let address = try await node.listen(on: .loopback(port: 0))
        let registration = try EPMDRegistration(
            EPMDNodeInfo(name: options.name, port: address.port), at: epmd.address, loop: loop)
        await node.setCreation(try await registration.register())
        await sayReadyAndWait(on: loop)
        await registration.stop()
        await node.close()
    }

    /// Writes a line, for whoever has started this, and returns when stdin ends.
    static func sayReadyAndWait(on loop: EventLoop) async {
        let line = Array("ready\n".utf8)
        _ = write(STDOUT_FILENO, line, line.count)
        await withCheckedContinuation { continuation in
            do throws(SystemError) {
                var token: EventLoop.WatchToken?
                token = try loop.watch(STDIN_FILENO, for: .readable) { _ in
                    var byte: UInt8 = 0
                    guard read(STDIN_FILENO, &byte, 1) <= 0 else { return }
                    if let token { loop.unwatch(token) }
                    continuation.resume()
                }
            } catch {
                continuation.resume()
            }
        }
    }

    /// Time from the start of the process to its name in EPMD, and then what it has in memory.
    static func measure(_ peers: Peers) async throws -> [Row] {
        var starting = Series()
        var memory = Series()
        for round in 0..<peers.effort.nodeStarts {
            let ours = try await start("idle\(round)", peers) { name in
                try Processors.all.start(
                    "/proc/\(getpid())/exe", ["idle", name, "\(peers.epmdPort)"])
            }
            let beam = try await start("idlebeam\(round)", peers) { name in
                try BeamPeer.start(
                    name, cookie: peers.cookie, epmdPort: peers.epmdPort, folder: peers.folder,
                    over: .tcp, on: .all)
            }
            starting.append(ours: ours.milliseconds, peer: beam.milliseconds)
            memory.append(ours: ours.megabytes, peer: beam.megabytes)
        }
        return [
            Row(
                measure: "start to registered in EPMD", unit: "ms", peer: "erl", series: starting,
                target: .oursBelow(50)),
            Row(
                measure: "resident memory, idle", unit: "MB", peer: "erl", series: memory,
                target: .oursBelow(15)),
        ]
    }

    private static func start(
        _ name: String, _ peers: Peers, _ run: (String) throws -> ChildProcess
    ) async throws -> (milliseconds: Double, megabytes: Double) {
        let begin = MonotonicTime.now
        let child = try run(name)
        defer { child.end() }
        while true {
            do throws(EPMDError) {
                _ = try await peers.epmd.lookUp(name: name)
                break
            } catch .notRegistered {
                guard MonotonicTime.now - begin < .seconds(20) else {
                    throw TestFailure("\(name) has not registered within 20 s")
                }
            }
            await peers.loop.sleep(for: .milliseconds(1))
        }
        let time = MonotonicTime.now - begin
        // What starting needed is let go of, or used for good, by then.
        await peers.loop.sleep(for: .milliseconds(200))
        return (time.inSeconds * 1000, Double(try child.residentByteCount()) / 1e6)
    }
}
