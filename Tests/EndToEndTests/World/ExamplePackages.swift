import FoundationEssentials
import Glibc

/// The packages of Examples/counter, and the program under test.
enum ExamplePackages {
    /// The root of this repository.
    static let root: String = {
        var path = #filePath
        for _ in 0..<4 { path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }
        return path
    }()

    /// `deployex`, beside the bundle that runs these tests.
    static let deployex: String = {
        let folder = ProcFolder.programFolder
        for candidate in [folder, root + "/.build/debug"] {
            let path = candidate + "/deployex"
            if access(path, X_OK) == 0 { return path }
        }
        return root + "/.build/debug/deployex"
    }()

    /// The folder with `counter-VERSION.tar.gz`: the one that `DEPLOYEX_EXAMPLE_PACKAGES` names, or
    /// `.build/example-packages`, where they are built now if need be.
    static func folder() throws -> String { try built.get() }

    private static let built: Result<String, any Error> = Result {
        if let given = getenv("DEPLOYEX_EXAMPLE_PACKAGES") { return String(cString: given) }
        let folder = root + "/.build/example-packages"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let log = folder + "/build.log"
        let child = try ChildProcess(
            "/bin/bash", [root + "/scripts/build-example.sh", folder],
            environment: ["PATH": Host.path, "HOME": folder, "LANG": "C.UTF-8"],
            stdout: log, stderr: log)
        guard child.waitForEnd(.seconds(300)) == 0 else {
            child.end(within: .seconds(5))
            throw WorldError("scripts/build-example.sh has failed: see \(log)")
        }
        return folder
    }
}

extension ProcFolder {
    /// Where the program that runs these tests stands.
    static var programFolder: String {
        // swiftpm-testing-helper loads the bundle: its path is among the arguments.
        let candidates = CommandLine.arguments.filter { $0.hasSuffix(".xctest") }
        let path = candidates.last ?? program(getpid()) ?? ""
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }
}

enum Host {
    static let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"

    /// The host's part of short node names.
    static let name: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, buffer.count - 1)
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
        return String(text.prefix { $0 != "." })
    }()

    /// A program's path, as the shell would find it.
    static func find(_ name: String) throws -> String {
        for folder in path.split(separator: ":") {
            let candidate = "\(folder)/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw WorldError("\(name) is not installed: `make setup` installs it")
    }
}
