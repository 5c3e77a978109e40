internal import ExternalTermFormat

/// What `deployex verify` found of an instance.
package struct VerificationReport: TermDocument {
    /// `published`: all was checked, and is as published. `different`: something is not.
    /// `incomplete`: nothing differs, but not all could be checked.
    package var result: String?
    package var instance: String?
    package var version: String?
    package var hash: String?
    package var deployment: String?
    /// The package's path.
    package var package: String?
    package var sha256: String?
    /// The one that was published; `nil` if there is none to compare the package with.
    package var publishedSHA256: String?
    /// What the signature says of the package.
    package var signature: String?
    package var files: Files?
    package var modules: Modules?
    /// What is wrong with the package itself.
    package var problems: [String] = []
    /// What could not be checked, and why.
    package var unchecked: [String] = []

    package static let empty = VerificationReport()

    package static var fields: [TermField<VerificationReport>] {
        [
            TermField("result", \.result), TermField("instance", \.instance),
            TermField("version", \.version), TermField("hash", \.hash),
            TermField("deployment", \.deployment), TermField("package", \.package),
            TermField("sha256", \.sha256),
            TermField("published_sha256", \.publishedSHA256), TermField("signature", \.signature),
            TermField("files", \.files), TermField("modules", \.modules),
            TermField("problems", \.problems), TermField("unchecked", \.unchecked),
        ]
    }

    /// How many names of a kind are listed. The counts are of all.
    static let listedCount = 200

    package struct Files: TermDocument {
        package var same: Int?
        package var earlier: Int?
        package var own: Int?
        package var differing: Int?
        package var missing: [String] = []
        package var changed: [String] = []
        package var extra: [String] = []

        package static let empty = Files()

        package static var fields: [TermField<Files>] {
            [
                TermField("same", \.same), TermField("earlier", \.earlier), TermField("own", \.own),
                TermField("differing", \.differing), TermField("missing", \.missing),
                TermField("changed", \.changed), TermField("extra", \.extra),
            ]
        }
    }

    package struct Modules: TermDocument {
        package var same: Int?
        package var emulator: Int?
        package var differing: Int?
        package var changed: [String] = []
        package var unpublished: [String] = []
        package var elsewhere: [String] = []

        package static let empty = Modules()

        package static var fields: [TermField<Modules>] {
            [
                TermField("same", \.same), TermField("emulator", \.emulator),
                TermField("differing", \.differing), TermField("changed", \.changed),
                TermField("unpublished", \.unpublished), TermField("elsewhere", \.elsewhere),
            ]
        }
    }

    package mutating func add(_ comparison: FileComparison) {
        files = Files(
            same: comparison.sameCount, earlier: comparison.earlierCount, own: comparison.ownCount,
            differing: comparison.missing.count + comparison.changed.count + comparison.extra.count,
            missing: Self.listed(comparison.missing), changed: Self.listed(comparison.changed),
            extra: Self.listed(comparison.extra))
        unchecked += Self.listed(comparison.unknown)
    }

    package mutating func add(_ comparison: ModuleComparison, emulatorIsCompared: Bool) {
        modules = Modules(
            same: comparison.sameCount, emulator: comparison.emulatorCount,
            differing: comparison.changed.count + comparison.unpublished.count,
            changed: Self.listed(comparison.changed),
            unpublished: Self.listed(comparison.unpublished),
            elsewhere: Self.listed(comparison.elsewhere))
        if !comparison.old.isEmpty {
            unchecked.append(
                "old code of \(Deployment.listed(comparison.old)), which processes may still run")
        }
        if comparison.emulatorCount > 0, !emulatorIsCompared {
            unchecked.append(
                "\(comparison.emulatorCount) modules of the emulator, which is not in the package")
        }
    }

    /// Decides the result, once all is added.
    package mutating func conclude() {
        let isDifferent =
            !problems.isEmpty || (files?.differing ?? 0) > 0 || (modules?.differing ?? 0) > 0
        let isWhole = unchecked.isEmpty && files != nil && modules != nil
        result = isDifferent ? "different" : isWhole ? "published" : "incomplete"
    }

    private static func listed(_ names: [String]) -> [String] {
        let rest = names.count - listedCount
        return names.prefix(listedCount) + (rest > 0 ? ["… and \(rest) more"] : [])
    }
}
