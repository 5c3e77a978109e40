internal import Transport

/// The members of a tar archive, each admitted by the policy, as the archive's bytes come.
struct ArchiveMembers: ~Copyable {
    enum Event {
        case member(TarEntry, ArchivePolicy.Placement)
        /// The next bytes of the member that has begun.
        case contents(ArraySlice<UInt8>)
        case endOfMember
    }

    private var reader: TarReader
    private var policy: ArchivePolicy

    init(limits: ArchiveLimits) {
        reader = TarReader(limits: limits)
        policy = ArchivePolicy(limits: limits)
    }

    /// What the bytes say next; `nil` when more are needed. It takes what it has read from `bytes`.
    mutating func next(_ bytes: inout ArraySlice<UInt8>) throws(UnpackFailure) -> Event? {
        while let event = try converting(UnpackFailure.malformed, reader.next(&bytes)) {
            switch event {
            case .entry(let entry):
                let placement = try converting(
                    { UnpackFailure.refused(entry: printable(entry.path), $0) },
                    policy.admit(entry))
                return .member(entry, placement)
            case .contents(let bytes): return .contents(bytes)
            case .endOfEntry: return .endOfMember
            case .endOfArchive: continue
            }
        }
        return nil
    }

    /// Ends the archive's bytes, and makes the checks that need the whole archive.
    mutating func finish() throws(UnpackFailure) {
        try converting(UnpackFailure.malformed, reader.finish())
        try policy.finish()
    }
}
