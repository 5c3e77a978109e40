import Foundation
import Glibc
import Synchronization
import TestKit
import Testing

@testable import Supervisor

/// A log on one kind of file system, with its pieces.
struct LogWorld {
    /// Where the logs of a test are: the temporary folder's file system (ext4, xfs and overlays on
    /// them can take a head off a file), and memory, which can only free it.
    enum Place: CaseIterable {
        case temporary, memory

        var folder: String {
            switch self {
            case .temporary: FileManager.default.temporaryDirectory.path
            case .memory: "/dev/shm"
            }
        }
    }

    let folder: TemporaryFolder
    var path: String { folder("app-1-stdout.log") }

    init(_ place: Place = .temporary) {
        folder = TemporaryFolder(in: place.folder)
    }

    /// 64 KiB, and everything is kept.
    let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 100_000)

    var rotation: LogRotation { LogRotation(path: path, limits: limits) }

    /// One that ends as if killed when it comes to `step` for the `turn`th time.
    func rotation(stoppedAt step: LogRotation.Step, turn: Int = 1) -> LogRotation {
        var rotation = rotation
        rotation.onStep = { [counter = Counter()] current throws(FileSystemError) in
            guard current == step else { return }
            if counter.next() == turn { throw .stopped }
        }
        return rotation
    }

    private final class Counter: Sendable {
        private let count = Atomic(0)
        func next() -> Int { count.add(1, ordering: .relaxed).newValue }
    }

    /// Appends as the writers do: to the file that is there, or a new one.
    func append(_ bytes: [UInt8]) {
        let raw = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        defer { close(raw) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
            precondition(count > 0)
            rest = rest.dropFirst(count)
        }
    }

    /// Numbered lines, `byteCount` at least.
    static func lines(_ byteCount: Int, from first: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        var number = first
        while bytes.count < byteCount {
            bytes += Array("line \(number)\n".utf8)
            number += 1
        }
        return bytes
    }

    /// All that is there: the pieces by name, then the log, without what was freed.
    func everything() throws -> [UInt8] {
        var bytes: [UInt8] = []
        for name in try names() {
            let log = try #require(try OpenedLog(folder(name)))
            bytes += try log.read(at: log.firstData, count: Int(log.contentByteCount))
        }
        return bytes
    }

    /// The names that belong to the log, in the order in which a shell's `NAME.log.* NAME.log` has
    /// them.
    func names() throws -> [String] {
        let all = try HostFileSystem().list(folder.path)
        let log = HostFileSystem.name(of: path)
        return all.filter { $0 != log } + all.filter { $0 == log }
    }

    var size: Int64 { (try? HostFileSystem().status(path)?.byteCount) ?? -1 }

    /// Whether the file system there can take a head off a file.
    func canShorten() throws -> Bool {
        let probe = folder("probe")
        defer { unlink(probe) }
        folder.write(String(repeating: "x", count: 200_000), "probe")
        let log = try #require(try OpenedLog(probe, isChanged: true))
        try log.free(from: 0, count: LogLimits.alignment)
        return try log.dropHole()
    }
}
