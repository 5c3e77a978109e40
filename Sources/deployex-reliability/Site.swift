internal import FoundationEssentials
internal import Glibc
internal import Transport

/// A deployex with everything around it: folders, ports, EPMD and cookie of its own. What was started
/// here is ended by its pid.
struct Site: Sendable {
    /// The example's releases take this one where nobody gives them another.
    static let cookie = "cookie"

    let application: String
    let folder: String
    /// Instance I listens on `firstPort + I - 1`.
    let firstPort: UInt16
    let epmdPort: UInt16
    let deployex: String
    let loop: EventLoop
    private let packages: String
    private let epmd: Launched

    /// - Parameter instances: how many there may be at most.
    init(
        _ options: MeasureOptions, application: String = "counter", instances: Int,
        on loop: EventLoop
    ) throws {
        self.application = application
        self.loop = loop
        deployex = try Self.program(options)
        packages = options.packages
        var template = Array("/tmp/deployex-reliability-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw MeasureError("\(SystemError.last("making a folder in /tmp"))")
        }
        folder = String(decoding: template.dropLast().map { UInt8($0) }, as: UTF8.self)
        Leftovers.add(path: folder)
        for name in ["home", "log"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        firstPort = try Self.freePorts(instances + 1, on: loop)
        epmdPort = firstPort + UInt16(instances)
        epmd = try Launched(
            deployex, ["epmd"],
            environment: ["PATH": Environment.path, "ERL_EPMD_PORT": "\(epmdPort)"],
            output: folder + "/epmd.log")
    }

    private static func program(_ options: MeasureOptions) throws(MeasureError) -> String {
        let own = ProcFiles.program(getpid()) ?? ""
        let beside = own[..<(own.lastIndex(of: "/") ?? own.startIndex)] + "/deployex"
        let path = options.deployex ?? String(beside)
        guard let real = realpath(path, nil) else {
            throw MeasureError("\(path) is missing: `make build` makes it, or say --deployex")
        }
        defer { free(real) }
        return String(cString: real)
    }

    /// The first of `count` neighbouring ports below the ephemeral ones that nobody uses.
    private static func freePorts(_ count: Int, on loop: EventLoop) throws -> UInt16 {
        for _ in 0..<200 {
            let first = UInt16.random(in: 21_000...31_000)
            let isFree = (first..<first + UInt16(count)).allSatisfy { port in
                guard let listener = try? TCPListener(on: .loopback(port: port), loop: loop) else {
                    return false
                }
                listener.close()
                return true
            }
            if isFree { return first }
        }
        throw MeasureError("no \(count) neighbouring ports are free")
    }

    // MARK: Paths

    /// No other site's processes have this home.
    static func home(in folder: String) -> String { folder + "/home" }

    var base: String { folder + "/varlib" }
    var storage: String { folder + "/storage" }
    var logPath: String { folder + "/deployex.log" }

    func environment(replicas: Int, adding variables: [String: String]) -> [String: String] {
        [
            "PATH": Environment.path, "HOME": Self.home(in: folder), "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": "\(epmdPort)",
            // Schedulers that wait for work asleep leave the processor to the others.
            "ERL_FLAGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            "DEPLOYEX_BASE_PATH": base, "DEPLOYEX_LOG_PATH": folder + "/log",
            "DEPLOYEX_STORAGE_PATH": storage, "DEPLOYEX_ERLANG_COOKIE": Self.cookie,
            "DEPLOYEX_MONITORED_APP_NAME": application,
            "DEPLOYEX_MONITORED_APP_PORT": "\(firstPort)",
            "DEPLOYEX_MONITORED_REPLICAS": "\(replicas)",
        ].merging(variables) { $1 }
    }

    // MARK: Publishing

    /// Puts a version of the example into the storage.
    func place(_ version: String) throws {
        let name = "\(application)-\(version).tar.gz"
        let bytes = ProcFiles.bytes("\(packages)/\(name)")
        guard !bytes.isEmpty else {
            throw MeasureError(
                "\(packages)/\(name) is missing: `scripts/build-example.sh \(packages)` makes it")
        }
        try write(bytes, "\(storage)/dist/\(application)/\(name)")
    }

    func publish(_ version: String) throws {
        let catalog = #"{"version":"\#(version)","hash":"local"}"#
        try write(
            Array(catalog.utf8), "\(storage)/versions/\(application)/local/current.json")
    }

    /// The file appears whole.
    func write(_ bytes: [UInt8], _ path: String) throws {
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(filePath: folder + "/.incoming"))
        guard rename(folder + "/.incoming", path) == 0 else {
            throw MeasureError("\(SystemError.last("writing \(path)"))")
        }
    }

    // MARK: Ending

    /// Ends what still runs here, and EPMD, and removes the folder.
    func end() async {
        epmd.kill()
        for _ in 0..<100 {
            if Leftovers.killPrograms(of: folder) == 0 { break }
            await loop.sleep(for: .milliseconds(50))
        }
        try? FileManager.default.removeItem(atPath: folder)
        Leftovers.remove(path: folder)
    }
}
