import Glibc
import Supervisor
import TestKit
import Testing

@testable import Deployment

extension TemporaryFolder {
    static func / (folder: TemporaryFolder, name: String) -> String { "\(folder.path)/\(name)" }

    func write(_ bytes: [UInt8], to name: String) throws {
        try writeFile(bytes, to: self / name)
    }

    /// All that is below the folder: relative paths, sorted, folders with a slash.
    func contents(of name: String = ".") throws -> [String] {
        try listing(self / name)
    }
}

/// Makes a folder and those above it that are missing.
func makeFolders(_ path: String) throws {
    try HostFileSystem().makeFolders(path, mode: 0o755)
}

func writeFile(_ bytes: [UInt8], to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    try #require(file >= 0, "\(path): \(errno)")
    defer { close(file) }
    try #require(Glibc.write(file, bytes, bytes.count) == bytes.count)
}

func readFile(_ path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    try #require(file >= 0, "\(path): \(errno)")
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while case let count = read(file, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
    return bytes
}

func listing(_ path: String, prefix: String = "") throws -> [String] {
    try HostFileSystem().list(path).flatMap { name -> [String] in
        guard isFolder("\(path)/\(name)") else { return [prefix + name] }
        return try [prefix + name + "/"] + listing("\(path)/\(name)", prefix: prefix + name + "/")
    }
}

func status(_ path: String) throws -> stat {
    var status = stat()
    try #require(lstat(path, &status) == 0, "\(path): \(errno)")
    return status
}

func isFolder(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
}

/// Runs a program in a folder, to its end. Its exit status must be 0.
func run(_ command: String..., in folder: String = "/") throws {
    try ChildProcess.run("env", ["-C", folder] + command)
}
