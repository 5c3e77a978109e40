internal import EPMD
internal import ErlDist
internal import Glibc
internal import TestKit
internal import Transport

/// All that is measured against, started for one run: an EPMD on a port of its own, a BEAM, and the
/// C program that uses libei.
struct Peers {
    let loop: EventLoop
    let folder: String
    let epmdPort: UInt16
    let epmd: EPMDClient
    let cookie: String
    let beam: BeamPeer
    let libei: LibeiPeer
    let effort: Effort
    private let isPinned: Bool
    private let tls: DistributionTLS
    private let epmdProcess: ChildProcess

    static func start(_ options: MeasureOptions, on loop: EventLoop) async throws -> Peers {
        for file in ["libei-peer", "deployex_bench_peer.beam", "inet_tls.conf"] {
            guard access("\(options.peerFolder)/\(file)", R_OK) == 0 else {
                throw TestFailure(
                    "\(options.peerFolder)/\(file) is missing: build it with `make bench`,"
                        + " or say --peers")
            }
        }
        let port = UInt16(FreePorts.take())
        if options.isPinned { try Processors.ours.confineBench() }
        let cookie = "bench\(UInt64.random(in: 0 ... .max))"
        // The shell is there so that EPMD, which ignores its stdin, ends with us in any case.
        let epmdProcess = try ChildProcess.withPipes(
            "/bin/sh",
            [
                "-c",
                "epmd -port \(port) -address 127.0.0.1 2>/dev/null & read -r _;"
                    + " exec 2>/dev/null; kill $!; wait $!",
            ])
        var children = [epmdProcess]
        do {
            let epmd = EPMDClient(address: .loopback(port: port), loop: loop)
            _ = try await offload { try epmdProcess.listening(on: Int(port)) }
            let tls = try DistributionTLS(
                optionsFile: Wire.optionsFile(options.peerFolder))
            let beam = try BeamPeer(
                "beam", cookie: cookie, epmdPort: port, folder: options.peerFolder, over: .tcp,
                on: options.isPinned ? .others : .all,
                control: Node(
                    name: try NodeName("control@127.0.0.1"), cookie: cookie, loop: loop,
                    resolver: epmd.resolver))
            children.append(beam.process)
            try await eventuallySucceeds { try await beam.connect() }
            let libei = try LibeiPeer(
                folder: options.peerFolder, node: beam.name, cookie: cookie, epmdPort: port)
            return Peers(
                loop: loop, folder: options.peerFolder, epmdPort: port, epmd: epmd, cookie: cookie,
                beam: beam, libei: libei, effort: options.effort, isPinned: options.isPinned,
                tls: tls, epmdProcess: epmdProcess)
        } catch {
            for child in children.reversed() { child.end() }
            throw error
        }
    }

    func end() {
        libei.process.end()
        beam.process.end()
        epmdProcess.end()
    }

    /// One more BEAM, for some measures only: end its process after them.
    func startBeam(
        _ alive: String, over wire: Wire, on processors: Processors
    ) async throws -> BeamPeer {
        let beam = try BeamPeer(
            alive, cookie: cookie, epmdPort: epmdPort, folder: folder, over: wire,
            on: isPinned ? processors : .all,
            control: try makeNode("control_\(alive)", over: wire))
        do {
            try await eventuallySucceeds { try await beam.connect() }
        } catch {
            beam.process.end()
            throw error
        }
        return beam
    }

    /// Our own node, under a name that no connection had before.
    func makeNode(
        _ name: String, flags: DistributionFlags = .standard, over wire: Wire = .tcp
    ) throws -> Node {
        var configuration = Node.Configuration()
        configuration.flags = flags
        if wire == .tls { configuration.tls = tls }
        return Node(
            name: try NodeName("\(name)@\(wire.host)"), cookie: cookie, loop: loop,
            configuration: configuration, resolver: epmd.resolver)
    }
}

extension EPMDClient {
    /// Finds nodes of this host by asking this EPMD.
    var resolver: Node.Resolver {
        { name in try await addresses(name: name.alive, host: name.host) }
    }
}
