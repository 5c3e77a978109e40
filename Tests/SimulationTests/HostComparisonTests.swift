import Foundation
import Glibc
import Supervisor
import TestKit
import Testing

@testable import Simulation

/// Random operations on the simulated disk and on the host's: the same answers, the same tree.
private struct Comparison {
    let host = HostFileSystem()
    let disk = SimulatedDisk(roots: ["/base"])
    let root: String
    var random: SeededRandom

    init(seed: UInt64) throws {
        root = FileManager.default.temporaryDirectory.path + "/disk-\(UUID().uuidString)"
        try host.makeFolder(root, mode: 0o700)
        random = SeededRandom(seed: seed)
    }

    mutating func path() -> String {
        let names = ["a", "b", "c"]
        return (0..<random.int(1...3)).reduce("") { path, _ in path + "/" + random.pick(names) }
    }

    /// Whether both did the same.
    mutating func step() throws -> Bool {
        let (first, second) = (path(), path())
        let kind = random.int(0...8)
        let seen = code { try Self.perform(kind, disk, "/base" + first, "/base" + second) }
        let real = code { try Self.perform(kind, host, root + first, root + second) }
        let (left, right) = (try tree(disk, "/base"), try tree(host, root))
        #expect(seen == real, "operation \(kind) on \(first) and \(second)")
        #expect(left == right, "after operation \(kind) on \(first) and \(second)")
        return seen == real && left == right
    }

    private func code(_ body: () throws -> Void) -> Int32? {
        do {
            try body()
            return nil
        } catch {
            return (error as? FileSystemError)?.code
        }
    }

    private static func perform(
        _ kind: Int, _ files: some FileSystem, _ first: String, _ second: String
    ) throws {
        switch kind {
        case 0, 1: try files.makeFolder(first, mode: 0o700)
        case 2, 3:
            let file = try files.createFile(first, mode: 0o600)
            try file.write(Array(second.utf8).suffix(2)[...])
            try file.finish()
        case 4: try files.rename(first, to: second)
        case 5: try files.exchange(first, second)
        case 6: try files.removeFile(first)
        case 7: try files.removeTree(first)
        default: try files.copyFile(first, to: second, mode: 0o600)
        }
    }

    private func tree(_ files: some FileSystem, _ path: String) throws -> [String] {
        try files.list(path).flatMap { name in
            let entry = "\(path)/\(name)"
            guard try files.status(entry)?.kind == .folder else {
                return ["\(name)=\(try files.read(entry, limit: 100))"]
            }
            return ["\(name)/"] + (try tree(files, entry).map { "\(name)/\($0)" })
        }
    }
}

@Suite struct HostComparisonTests {
    @Test(arguments: UInt64(1)...10)
    func `the simulated disk answers as the host's does`(seed: UInt64) throws {
        var comparison = try Comparison(seed: seed)
        defer { try? FileManager.default.removeItem(atPath: comparison.root) }
        for _ in 0..<300 where try !comparison.step() { return }
    }
}
