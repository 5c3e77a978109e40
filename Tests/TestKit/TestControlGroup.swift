import Glibc

/// A control group (version 2) of a test's own, below that of this process. Only root can make one.
package final class TestControlGroup: Sendable {
    /// Its path in the hierarchy, and its folder.
    package let path: String
    package let folder: String

    /// Whether this process can make one; otherwise tests are skipped by ``reason``.
    package static var isPossible: Bool { geteuid() == 0 && own != nil }
    package static let reason: String =
        "only root can make control groups, on a host that has those of version 2"

    /// - Parameter isDelegated: whether it is marked as systemd marks what it delegates.
    package init(isDelegated: Bool) throws(TestFailure) {
        guard let own = Self.own else { throw TestFailure(Self.reason) }
        let name = "/deployex-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        path = (own.path == "/" ? "" : own.path) + name
        folder = own.folder + name
        guard mkdir(folder, 0o755) == 0 else { throw TestFailure("mkdir \(folder): \(errno)") }
        guard isDelegated else { return }
        // Glibc's module has no setxattr(2).
        typealias Set =
            @convention(c) (
                UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeRawPointer, Int, Int32
            ) -> Int32
        guard let symbol = dlsym(nil, "setxattr"),
            unsafeBitCast(symbol, to: Set.self)(folder, "user.delegate", "1", 1, 0) == 0
        else { throw TestFailure("marking \(folder): \(errno)") }
    }

    /// The arguments through which a program is started in it.
    package var prefix: [String] {
        ["/bin/sh", "-c", "echo $$ > \(folder)/cgroup.procs && exec \"$@\"", "sh"]
    }

    /// The folders of the groups below it.
    package var children: [String] {
        Files.names(folder).filter { $0.hasPrefix("deployex-") }.map { "\(folder)/\($0)" }
    }

    /// Removes it when all that was in it has ended.
    deinit {
        for _ in 0..<250 {
            for child in children { rmdir(child) }
            if rmdir(folder) == 0 { return }
            usleep(20_000)
        }
    }

    /// The group of this process.
    private static let own: (path: String, folder: String)? = {
        let lines = Files.text("/proc/self/cgroup").split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("0::/") }) else { return nil }
        for mount in Files.text("/proc/self/mounts").split(separator: "\n") {
            let fields = mount.split(separator: " ").map(String.init)
            guard fields.count > 3, fields[2] == "cgroup2" else { continue }
            let path = String(line.dropFirst(3))
            let folder = path == "/" ? fields[1] : fields[1] + path
            if access(folder + "/cgroup.procs", W_OK) == 0 { return (path, folder) }
        }
        return nil
    }()
}
