internal import Glibc
package import Supervisor
package import TestKit
internal import Transport

/// A disk in memory that stops, fails, runs full and loses its power where it is told to.
///
/// Only changing operations are counted, from 1; each write to a new file and its finish count as
/// well. A program that was stopped gets ``FileSystemError/stopped`` for whatever it tries, until
/// ``restart(after:)``.
package final class SimulatedDisk: FileSystem {
    /// How the program, or the host, came to its end.
    package enum Ending: Sendable {
        /// The program alone: what it had done stays.
        case kill
        case powerCut(DiskImage.Survival)
    }

    private struct State {
        var image = DiskImage()
        var operationCount = 0
        var isStopped = false
        var fault: (at: Int, fault: DiskFault)?
        var faultCount = 0
        var roots: [String]
        var strayOperations: [DiskOperation] = []
        var watch: (@Sendable (DiskImage, DiskOperation) -> Void)?
    }

    private let state: Guarded<State>

    /// - Parameter roots: all folders below which anything may change. They are made.
    package init(roots: [String]) {
        state = Guarded(State(roots: roots))
        for root in roots { makeAll(root) }
        state.withLock { $0.image.synchronizeAll() }
    }

    private func makeAll(_ root: String) {
        var path = ""
        for name in DiskImage.names(of: root) {
            path += "/" + name
            let folder = path
            alter { image throws(FileSystemError) in
                try image.makeFolder(folder, mode: 0o755)
            }
        }
    }

    // MARK: For whoever directs the simulation

    /// The changing operations so far.
    package var operationCount: Int { state.withLock { $0.operationCount } }
    package var isStopped: Bool { state.withLock { $0.isStopped } }
    /// What was changed outside the roots.
    package var strayOperations: [DiskOperation] { state.withLock { $0.strayOperations } }

    package var image: DiskImage {
        get { state.withLock { $0.image } }
        set { state.withLock { $0.image = newValue } }
    }

    /// Changes the disk as another program does, or whoever directs.
    package func alter(_ body: @Sendable (inout DiskImage) throws(FileSystemError) -> Void) {
        state.withLock { state in
            do throws(FileSystemError) { try body(&state.image) } catch {
                preconditionFailure("\(error)")
            }
        }
    }

    /// Lets the `count`-th changing operation from now meet `fault`.
    package func inject(_ fault: DiskFault, after count: Int) {
        precondition(count >= 1, "Operations are counted from 1")
        state.withLock { $0.fault = ($0.operationCount + count, fault) }
    }

    /// How many operations have met a fault so far.
    package var faultCount: Int { state.withLock { $0.faultCount } }

    package func clearFault() {
        state.withLock { $0.fault = nil }
    }

    /// Is called after every changing operation, with what it has left.
    package func watch(_ body: (@Sendable (DiskImage, DiskOperation) -> Void)?) {
        state.withLock { $0.watch = body }
    }

    /// The program begins anew, after it, or the whole host, has ended.
    package func restart(after ending: Ending, using random: inout SeededRandom) {
        var image = image
        if case .powerCut(let survival) = ending {
            image = image.afterPowerCut(survival, using: &random)
        }
        let left = image
        state.withLock { state in
            state.image = left
            state.isStopped = false
            state.fault = nil
        }
    }

    // MARK: The operations

    private func look<Value: Sendable>(
        _ body: (DiskImage) throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value {
        let result: Result<Value, FileSystemError> = state.withLock { state in
            guard !state.isStopped else { return .failure(.stopped) }
            do throws(FileSystemError) {
                return .success(try body(state.image))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// - Parameter half: what is left of the operation when it is cut off in the middle.
    fileprivate func change<Value: Sendable>(
        _ operation: DiskOperation,
        half: (inout DiskImage) throws(FileSystemError) -> Void = { _ in },
        _ body: (inout DiskImage) throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value {
        let result: Result<Value, FileSystemError> = state.withLock { state in
            do throws(FileSystemError) {
                return .success(try Self.change(&state, operation, half: half, body))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func change<Value>(
        _ state: inout State, _ operation: DiskOperation,
        half: (inout DiskImage) throws(FileSystemError) -> Void,
        _ body: (inout DiskImage) throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value {
        guard !state.isStopped else { throw .stopped }
        state.operationCount += 1
        for path in operation.paths where !state.roots.contains(where: { path.isBelow($0) }) {
            state.strayOperations.append(operation)
        }
        defer { state.watch?(state.image, operation) }
        guard let (at, fault) = state.fault, state.operationCount >= at else {
            return try body(&state.image)
        }
        state.faultCount += 1
        let progress: DiskFault.Progress
        let failure: FileSystemError
        switch fault {
        case .stop(let reached):
            state.isStopped = true
            (progress, failure) = (reached, .stopped)
        case .fail(let code, let reached):
            state.fault = nil
            (progress, failure) = (reached, .failure(operation.attempt, code))
        case .failAll(let code):
            (progress, failure) = (.nothing, .failure(operation.attempt, code))
        }
        switch progress {
        case .nothing: break
        case .half: try half(&state.image)
        case .all: _ = try body(&state.image)
        }
        throw failure
    }

    package func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        try look { image throws(FileSystemError) in try image.read(path, limit: limit) }
    }

    package func list(_ path: String) throws(FileSystemError) -> [String] {
        try look { image throws(FileSystemError) in try image.list(path) }
    }

    package func status(_ path: String) throws(FileSystemError) -> FileStatus? {
        try look { image throws(FileSystemError) in image.status(path) }
    }

    package func availableByteCount(_ path: String) throws(FileSystemError) -> UInt64 {
        try look { image throws(FileSystemError) in UInt64(image.availableByteCount) }
    }

    package func createFile(_ path: String, mode: UInt32) throws(FileSystemError) -> any NewFile {
        let operation = DiskOperation.createFile(path)
        let number = try change(operation) { image throws(FileSystemError) in
            try image.make(path, .file, mode: mode, operation.attempt)
        }
        return SimulatedFile(disk: self, path: path, number: number)
    }

    package func overwriteFile(_ path: String, with bytes: [UInt8]) throws(FileSystemError) {
        let half = { (image: inout DiskImage) throws(FileSystemError) in
            try image.overwriteInPlace(path, with: bytes.prefix(bytes.count / 2))
        }
        try change(.overwrite(path, byteCount: bytes.count), half: half) {
            image throws(FileSystemError) in
            try image.overwriteInPlace(path, with: bytes[...])
        }
    }

    package func createSymbolicLink(_ path: String, to target: String) throws(FileSystemError) {
        let operation = DiskOperation.createSymbolicLink(path, target: target)
        try change(operation) { image throws(FileSystemError) in
            _ = try image.make(
                path, .symbolicLink, mode: 0o777, bytes: Array(target.utf8), operation.attempt)
        }
    }

    package func rename(_ source: String, to destination: String) throws(FileSystemError) {
        try change(.rename(source, to: destination)) { image throws(FileSystemError) in
            try image.rename(source, to: destination)
        }
    }

    package func exchange(_ first: String, _ second: String) throws(FileSystemError) {
        try change(.exchange(first, second)) { image throws(FileSystemError) in
            try image.exchange(first, second)
        }
    }

    package func synchronizeFolder(_ path: String) throws(FileSystemError) {
        try change(.synchronizeFolder(path)) { image throws(FileSystemError) in
            try image.synchronizeFolder(path)
        }
    }

    package func synchronizeFileSystem(holding path: String) throws(FileSystemError) {
        try change(.synchronizeFileSystem(path)) { image throws(FileSystemError) in
            guard image.status(path) != nil else {
                throw .failure("making \(path) durable", ENOENT)
            }
            image.synchronizeAll()
        }
    }

    package func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError) {
        try change(.makeFolder(path)) { image throws(FileSystemError) in
            try image.makeFolder(path, mode: mode)
        }
    }

    package func removeFile(_ path: String) throws(FileSystemError) {
        try change(.removeFile(path)) { image throws(FileSystemError) in
            try image.removeFile(path)
        }
    }

    package func removeTree(_ path: String) throws(FileSystemError) {
        let half = { (image: inout DiskImage) throws(FileSystemError) in
            try image.removeTree(path, limit: image.nodeCount(path) / 2)
        }
        try change(.removeTree(path), half: half) { image throws(FileSystemError) in
            try image.removeTree(path)
        }
    }

    package func copyFile(
        _ source: String, to destination: String, mode: UInt32
    ) throws(FileSystemError) {
        let operation = DiskOperation.copyFile(source, to: destination)
        func copy(
            _ image: inout DiskImage, count: Int?
        ) throws(FileSystemError) -> DiskImage.Number {
            guard image.status(source) != nil else {
                _ = try image.read(source, limit: .max)
                throw .failure(operation.attempt, ENOENT)
            }
            let number = try image.make(destination, .file, mode: mode, operation.attempt)
            let bytes = try image.read(source, limit: .max)
            try image.append(bytes.prefix(count ?? bytes.count / 2), to: number, operation.attempt)
            return number
        }
        let half = { (image: inout DiskImage) throws(FileSystemError) in
            _ = try copy(&image, count: nil)
        }
        try change(operation, half: half) { image throws(FileSystemError) in
            _ = try copy(&image, count: .max)
        }
    }
}

private final class SimulatedFile: NewFile {
    private let disk: SimulatedDisk
    private let path: String
    private let number: DiskImage.Number

    init(disk: SimulatedDisk, path: String, number: DiskImage.Number) {
        self.disk = disk
        self.path = path
        self.number = number
    }

    func write(_ bytes: ArraySlice<UInt8>) throws(FileSystemError) {
        let operation = DiskOperation.write(path, byteCount: bytes.count)
        let half = { [number] (image: inout DiskImage) throws(FileSystemError) in
            try image.append(bytes.prefix(bytes.count / 2), to: number, operation.attempt)
        }
        try disk.change(operation, half: half) { [number] image throws(FileSystemError) in
            try image.append(bytes, to: number, operation.attempt)
        }
    }

    func finish() throws(FileSystemError) {
        try disk.change(.finish(path)) { [number] image throws(FileSystemError) in
            image.synchronize(number)
        }
    }
}

extension String {
    /// Whether it is the path `root` or one below it.
    func isBelow(_ root: String) -> Bool {
        hasPrefix(root)
            && (utf8.count == root.utf8.count
                || utf8.dropFirst(root.utf8.count).first == UInt8(ascii: "/"))
    }
}
