internal import Glibc

/// What one deployex and its instances have to themselves: a folder, ports and a cookie, so that
/// several do not meet. It starts nothing by itself.
package struct DeployexSite: Sendable {
    /// The example's releases take this cookie where nobody gives them another.
    package static let cookie = "cookie"

    package let application: String
    package let folder: String
    /// Instance I listens on `firstPort + I - 1`.
    package let firstPort: Int
    package let epmdPort: Int

    /// - Parameters:
    ///   - purpose: a part of the folder's name.
    ///   - instances: how many there may be at most.
    ///   - extraPorts: how many ports after EPMD's are the site's as well.
    package init(
        _ purpose: String, application: String = "counter", instances: Int, extraPorts: Int = 0
    ) throws(TestFailure) {
        self.application = application
        folder = TemporaryFolder.make(purpose)
        for name in ["out", "home", "log"] {
            try Files.makeFolders("\(folder)/\(name)")
        }
        firstPort = FreePorts.take(instances + 1 + extraPorts)
        epmdPort = firstPort + instances
    }

    // MARK: Paths

    /// No other site's processes have this home.
    package static func home(in folder: String) -> String { folder + "/home" }

    package var base: String { folder + "/varlib" }
    package var storage: String { folder + "/storage" }
    package var logPath: String { folder + "/deployex.log" }
    package var catalogPath: String { "\(storage)/versions/\(application)/local/current.json" }

    package func packagePath(_ version: String) -> String {
        "\(storage)/dist/\(application)/\(application)-\(version).tar.gz"
    }

    // MARK: Variables

    /// What everything here is started with.
    package var environment: [String: String] {
        [
            "PATH": ThisHost.path, "HOME": Self.home(in: folder), "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": "\(epmdPort)",
            // Schedulers that wait for work asleep leave the processor to the others.
            "ERL_FLAGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            "DEPLOYEX_BASE_PATH": base, "DEPLOYEX_LOG_PATH": folder + "/log",
            "DEPLOYEX_ERLANG_COOKIE": Self.cookie,
            // The default port is everybody's.
            "DEPLOYEX_PHX_SERVER": "false",
        ]
    }

    /// What says which application deployex has, without a configuration file.
    package func application(replicas: Int) -> [String: String] {
        [
            "DEPLOYEX_MONITORED_APP_NAME": application,
            "DEPLOYEX_MONITORED_APP_PORT": "\(firstPort)",
            "DEPLOYEX_MONITORED_REPLICAS": "\(replicas)", "DEPLOYEX_STORAGE_PATH": storage,
        ]
    }

    // MARK: Publishing

    /// Puts a version of the example into the storage, without naming it as current.
    package func place(_ version: String, from packages: String) throws(TestFailure) {
        let path = "\(packages)/\(application)-\(version).tar.gz"
        let bytes = Files.bytes(path)
        guard !bytes.isEmpty else {
            throw TestFailure("\(path) is missing: `scripts/build-example.sh \(packages)` makes it")
        }
        try write(bytes, packagePath(version))
    }

    /// Names a version as current.
    package func publish(_ version: String) throws(TestFailure) {
        try write(Array(#"{"version":"\#(version)","hash":"local"}"#.utf8), catalogPath)
    }

    /// Writes a file, and makes the folders above it. It appears whole.
    package func write(_ bytes: [UInt8], _ path: String) throws(TestFailure) {
        let folder = Files.parent(of: path)
        try Files.makeFolders(folder)
        try Files.write(bytes, folder + "/.incoming")
        guard rename(folder + "/.incoming", path) == 0 else {
            throw TestFailure("writing \(path): errno \(errno)")
        }
    }

    // MARK: Ending

    /// Kills what runs in the environment of the site in `folder`, and says how many there were.
    ///
    /// An instance's program need not be in the folder: a script of a release may have become any.
    package static func killPrograms(of folder: String) -> Int {
        let home = home(in: folder)
        let found = ProcFolder.pids.filter { ProcFolder.variable("HOME", of: $0) == home }
        for pid in found { kill(pid, SIGKILL) }
        return found.count
    }

    /// Ends all that still runs in the site in `folder`, for five seconds at most, and removes it.
    package static func remove(_ folder: String) {
        for _ in 0..<100 {
            if killPrograms(of: folder) == 0 { break }
            usleep(50_000)
        }
        Files.remove(folder)
    }
}
