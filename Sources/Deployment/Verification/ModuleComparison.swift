/// The code that a node has loaded against the modules of a package.
package struct ModuleComparison: Equatable, Sendable {
    /// How many have the package's code.
    package var sameCount = 0
    /// How many are part of the emulator itself, whose file is compared instead.
    package var emulatorCount = 0
    /// They have other code than the package, each with where it comes from.
    package var changed: [String] = []
    /// The package has no module of this name: what was made at run time, or comes from elsewhere.
    package var unpublished: [String] = []
    /// They have the package's code, but were loaded from outside of the release.
    package var elsewhere: [String] = []
    /// Processes may still run older code of them, which no digest is known of.
    package var old: [String] = []

    package var isClean: Bool { changed.isEmpty && unpublished.isEmpty }

    package init() {}

    /// - Parameters:
    ///   - code: the digest of each module's code, by its path in the release.
    ///   - folders: the paths by which the node may know the release's folder.
    package init(
        _ modules: [LoadedModule], with code: [String: [UInt8]], folders: [String]
    ) {
        var digests: [String: Set<[UInt8]>] = [:]
        for (path, digest) in code {
            guard let module = PackageContents.module(path) else { continue }
            digests[module, default: []].insert(digest)
        }
        for module in modules {
            let path = Self.path(module.place, in: folders)
            let description = Self.description(module, path)
            if module.hasOldCode { old.append(module.name) }
            // Only a module that was deleted has old code alone.
            guard let digest = module.digest else { continue }
            let isPreloaded = module.place == "preloaded"
            if let path, let published = code[path] {
                // A protocol has one code in its library, and another where it is consolidated.
                if published == digest {
                    sameCount += 1
                } else {
                    changed.append(description)
                }
            } else if let published = digests[module.name] {
                if published.contains(digest) {
                    sameCount += 1
                    if path == nil, !isPreloaded { elsewhere.append(description) }
                } else {
                    changed.append(description)
                }
            } else if isPreloaded {
                emulatorCount += 1
            } else {
                unpublished.append(description)
            }
        }
        changed.sort()
        unpublished.sort()
        elsewhere.sort()
        old.sort()
    }

    private static func description(_ module: LoadedModule, _ path: String?) -> String {
        let place = path ?? (module.place.isEmpty ? "no file" : module.place)
        return "\(module.name) (from \(place))"
    }

    /// A path within the release's folder; `nil` for any other.
    static func path(_ place: String, in folders: [String]) -> String? {
        guard place.hasPrefix("/") else { return nil }
        var names: [Substring] = []
        for name in place.split(separator: "/") where name != "." {
            if name == ".." { _ = names.popLast() } else { names.append(name) }
        }
        let whole = "/" + names.joined(separator: "/")
        let folder = folders.first { whole.hasPrefix($0 + "/") }
        return folder.map { String(whole.dropFirst($0.utf8.count + 1)) }
    }
}
