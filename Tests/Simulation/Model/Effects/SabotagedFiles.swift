internal import Deployment
internal import Supervisor
internal import Transport

/// The disk with the planted bug, if there is one in what is done to the disk.
final class SabotagedFiles: ForwardingFiles, @unchecked Sendable {
    private unowned let world: SimulatedWorld

    init(_ inner: any FileSystem, _ world: SimulatedWorld) {
        self.world = world
        super.init(inner)
    }

    override func createFile(
        _ path: String, mode: UInt32
    ) throws(FileSystemError) -> any NewFile {
        if world.sabotage == .keepsNoSpare, path.hasPrefix("/base/run/"), path.hasSuffix(".tmp") {
            try inner.removeFile(path.dropLast(4) + ".spare")
        }
        let file = try inner.createFile(path, mode: mode)
        guard world.sabotage == .signalsBeforeRecord, path.hasPrefix("/base/run/") else {
            return file
        }
        return ForwardingFile(file) { [self] bytes throws(FileSystemError) in
            if String(decoding: bytes, as: UTF8.self).contains(#""is_stopping":true"#) {
                dropped.insert(path)
            }
        }
    }

    /// Temporary files that do not get the name that they were made for.
    private var dropped: Set<String> = []

    override func rename(_ source: String, to destination: String) throws(FileSystemError) {
        let isOfApplication = destination == world.layout.applicationRecord
        let isOfInstance = destination.hasPrefix("/base/run/")
        switch world.sabotage {
        case .forgetsGhosts where isOfApplication:
            return try inner.removeFile(source)
        case .signalsBeforeRecord where dropped.remove(source) != nil:
            return try inner.removeFile(source)
        case .savesLater where isOfApplication, .recordsLater where isOfInstance:
            // What counts as written has this name in the meantime.
            let waiting = source + ".waiting"
            try inner.rename(source, to: waiting)
            world.after(.milliseconds(50) ... .seconds(10)) { [inner] in
                do throws(FileSystemError) { try inner.rename(waiting, to: destination) } catch {}
            }
        default: try inner.rename(source, to: destination)
        }
    }

    override func exchange(_ first: String, _ second: String) throws(FileSystemError) {
        if world.sabotage == .strays { try inner.makeFolder("/etc/deployex", mode: 0o700) }
        guard world.sabotage == .promotesInTwoSteps else {
            return try inner.exchange(first, second)
        }
        let aside = first + ".aside"
        try inner.rename(first, to: aside)
        try inner.rename(second, to: first)
        try inner.rename(aside, to: second)
    }
}
