internal import Glibc
package import Supervisor
internal import Transport

/// What lies in the folder of a release.
package struct InstalledFiles: Equatable, Sendable {
    package enum Entry: Equatable, Sendable {
        case file(sha256: [UInt8])
        /// A file that nobody wants to know more of.
        case unread
        case folder
        case link(target: String)
        /// A pipe, a socket, a device.
        case other
        case unreadable(String)
    }

    /// By their paths within the folder.
    package var entries: [String: Entry] = [:]
    /// The digest of the code of each module that was wanted, by the path of its file.
    package var code: [String: [UInt8]] = [:]
    /// The beginning of `releases/start_erl.data`.
    package var startErlData: [UInt8] = []
    /// What could not be listed, and why.
    package var obstacles: [String] = []

    /// More entries are not looked at: an application may write any number.
    static let maximumEntryCount = 400_000
    static let maximumDepth = 80

    package init() {}

    /// Looks at everything in `folder`. It blocks.
    /// - Parameters:
    ///   - isWanted: whether a file's digest is wanted.
    ///   - ignored: folders that are not listed.
    ///   - wantsCode: whether the digests of the modules' code are wanted, too.
    package static func read(
        _ folder: String, files: any FileSystem, ignoring ignored: Set<String> = [],
        wantsCode: Bool, isWanted: (String) -> Bool
    ) -> InstalledFiles {
        var found = InstalledFiles()
        var waiting: [(path: String, depth: Int)] = [("", 0)]
        while let (path, depth) = waiting.popLast() {
            let names: [String]
            do throws(FileSystemError) {
                names = try files.list(path.isEmpty ? folder : "\(folder)/\(path)")
            } catch {
                found.obstacles.append("\(error)")
                continue
            }
            for name in names {
                let path = path.isEmpty ? name : "\(path)/\(name)"
                guard found.entries.count < maximumEntryCount, depth < maximumDepth else {
                    found.obstacles.append(
                        "\(folder)/\(path) and what follows: too many files, or too deep")
                    return found
                }
                let entry = found.look(
                    path, in: folder, files, wantsCode: wantsCode, isWanted: isWanted(path))
                found.entries[path] = entry
                if entry == .folder, !ignored.contains(path) { waiting.append((path, depth + 1)) }
            }
        }
        return found
    }

    private mutating func look(
        _ path: String, in folder: String, _ files: any FileSystem, wantsCode: Bool, isWanted: Bool
    ) -> Entry {
        let whole = "\(folder)/\(path)"
        do throws(FileSystemError) {
            let status = try files.status(whole)
            switch status?.kind {
            // It was listed by that name.
            case nil:
                return .unreadable("it has gone meanwhile, or its name is not UTF-8")
            case .folder: return .folder
            case .symbolicLink: return .link(target: try Self.target(whole))
            case .other: return .other
            case .file: break
            }
            // An application may make its files as long as it likes.
            let limit = ArchiveLimits().byteCount
            if let count = status?.byteCount, count > limit {
                return .unreadable("it has \(count) bytes, more than any package")
            }
            if path == StartErlData.path {
                startErlData = try files.read(whole, limit: StartErlData.maximumByteCount)
            }
            if wantsCode, PackageContents.module(path) != nil {
                let bytes = try files.read(whole, limit: BeamFile.maximumByteCount)
                // Something that is no beam file has no code.
                code[path] = try? BeamCode(bytes).digest
                return .file(sha256: Digest.sha256(bytes))
            }
            return isWanted ? .file(sha256: try files.sha256(whole)) : .unread
        } catch {
            return .unreadable("\(error)")
        }
    }

    private static func target(_ path: String) throws(FileSystemError) -> String {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &bytes, bytes.count)
        guard count >= 0 else { throw .system(.last("reading the link \(path)")) }
        return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
