import Glibc
import TestKit
import Testing

/// Connections by the thousand, of someone who has no cookie: deployex goes on.
@Suite struct FloodTests {
    @Test func `three thousand connections at 1,024 descriptors stop no command and no restart`()
        async throws
    {
        try await DeployexWorld.run { world in
            try await world.bring(to: "0.1.0")
            let pid = try #require(await world.deployexPID)
            // As on a host whose hard limit is what is mostly the soft one.
            let limited = try await world.run(
                ThisHost.find("prlimit"), ["--pid", "\(pid)", "--nofile=1024:1024"])
            #expect(limited.status == 0, "\(limited)")
            let names = try await world.command("names").stdout
            let line = names.split(separator: "\n").first { $0.hasPrefix("name deployex ") }
            let port = try #require(line?.split(separator: " ").last.flatMap { UInt16($0) })
            let flood = Flood()
            defer { flood.end() }
            flood.connect(count: 3000, port: port)
            #expect(ProcFolder.descriptors(pid).count < 700)
            let restart = try await world.command(["restart", "1"], timeout: .seconds(60))
            #expect(restart.status == 0, "\(restart)")
            #expect(try await world.status()?.node == "deployex@\(ThisHost.name)")
        }
    }
}

/// Connections that say nothing.
private final class Flood {
    private var sockets: [Int32] = []

    init() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    func connect(count: Int, port: UInt16) {
        for _ in 0..<count {
            let raw = socket(
                AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard raw >= 0 else { continue }
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
            _ = withUnsafePointer(to: name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            sockets.append(raw)
        }
    }

    func end() {
        for raw in sockets { close(raw) }
        sockets = []
    }
}
