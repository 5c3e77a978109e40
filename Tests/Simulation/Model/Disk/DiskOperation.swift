/// One changing operation on a ``SimulatedDisk``, for faults and for the trace.
package enum DiskOperation: Equatable, Sendable, CustomStringConvertible {
    case createFile(String)
    case write(String, byteCount: Int)
    case overwrite(String, byteCount: Int)
    case finish(String)
    case createSymbolicLink(String, target: String)
    case rename(String, to: String)
    case exchange(String, String)
    case synchronizeFolder(String)
    case synchronizeFileSystem(String)
    case makeFolder(String)
    case removeFile(String)
    case removeTree(String)
    case copyFile(String, to: String)

    /// What it changes; both paths of a rename.
    package var paths: [String] {
        switch self {
        case .createFile(let path), .write(let path, _), .overwrite(let path, _),
            .finish(let path), .createSymbolicLink(let path, _), .synchronizeFolder(let path),
            .synchronizeFileSystem(let path), .makeFolder(let path), .removeFile(let path),
            .removeTree(let path), .copyFile(_, let path):
            [path]
        case .rename(let first, let second), .exchange(let first, let second):
            [first, second]
        }
    }

    /// The words that an error of the host's file system begins with.
    var attempt: String {
        switch self {
        case .createFile(let path): "making \(path)"
        case .write(let path, _), .overwrite(let path, _): "writing \(path)"
        case .finish(let path), .synchronizeFolder(let path), .synchronizeFileSystem(let path):
            "making \(path) durable"
        case .createSymbolicLink(let path, _): "making the link \(path)"
        case .rename(let source, let destination): "renaming \(source) to \(destination)"
        case .exchange(let first, let second): "exchanging \(first) and \(second)"
        case .makeFolder(let path): "making the folder \(path)"
        case .removeFile(let path), .removeTree(let path): "removing \(path)"
        case .copyFile(let source, let destination): "copying \(source) to \(destination)"
        }
    }

    package var description: String {
        switch self {
        case .createFile(let path): "create \(path)"
        case .write(let path, let byteCount): "write \(path), \(byteCount) bytes"
        case .overwrite(let path, let byteCount): "overwrite \(path), \(byteCount) bytes"
        case .finish(let path): "fsync \(path)"
        case .createSymbolicLink(let path, let target): "symlink \(path) -> \(target)"
        case .rename(let source, let destination): "rename \(source) -> \(destination)"
        case .exchange(let first, let second): "exchange \(first) <-> \(second)"
        case .synchronizeFolder(let path): "fsync folder \(path)"
        case .synchronizeFileSystem(let path): "syncfs \(path)"
        case .makeFolder(let path): "mkdir \(path)"
        case .removeFile(let path): "unlink \(path)"
        case .removeTree(let path): "rm -r \(path)"
        case .copyFile(let source, let destination): "copy \(source) -> \(destination)"
        }
    }
}

/// What goes wrong with a disk operation.
package enum DiskFault: Equatable, Sendable {
    /// How much of an operation is done when its program is stopped in it.
    package enum Progress: Equatable, Sendable, CaseIterable {
        case nothing
        /// Half the bytes, half the tree; nothing of what cannot be divided.
        case half
        case all
    }

    /// The program ends here: this operation gets so far, and no later one does anything.
    case stop(Progress)
    /// The operation does nothing, or half of what can be divided, and gives this errno value.
    case fail(code: Int32, Progress)
    /// From here on every operation fails in this way.
    case failAll(code: Int32)
}
