internal import Glibc

/// The programs of this package, and its folder.
package enum BuiltProgram {
    /// The root of this repository.
    package static let root: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    /// `deployex`, as it is built beside the tests, or the one that `DEPLOYEX_TESTED` names: what
    /// ships is optimized, and the compiler can be wrong there alone.
    package static let deployex: String = {
        guard let name = ThisHost.environment["DEPLOYEX_TESTED"] else { return path("deployex") }
        // Processes are known by the real path of their program.
        guard let real = realpath(name, nil) else { return name }
        defer { free(real) }
        return String(cString: real)
    }()

    /// A program of the tests' own build, or of the last debug build.
    package static func path(_ name: String) -> String {
        let beside = beside(name)
        return access(beside, X_OK) == 0 ? beside : "\(root)/.build/debug/\(name)"
    }

    /// Where a program stands that is built with the one that runs.
    package static func beside(_ name: String) -> String { "\(folder)/\(name)" }

    /// Where the program that runs stands.
    private static let folder: String = {
        // A helper of swift test loads the bundle of the tests: its path is among the arguments.
        let bundle = CommandLine.arguments.last { $0.hasSuffix(".xctest") }
        let path = bundle ?? ProcFolder.program(getpid()) ?? ""
        return Files.parent(of: path)
    }()
}
