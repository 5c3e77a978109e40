@testable import Deployment

/// The readers of gzip and tar, and the policy for what they say.
///
/// The first byte says whether the rest is gzip data, and how many bytes come at once. The checksums of
/// headers are made right.
enum ArchiveTarget {
    private struct Member: Equatable {
        var entry: TarEntry
        var contents: [UInt8] = []
    }

    private struct Outcome: Equatable {
        var members: [Member] = []
        var error: TarError?
    }

    private static let limits: ArchiveLimits = {
        var limits = ArchiveLimits()
        limits.byteCount = 1 << 20
        limits.extendedHeaderByteCount = 2048
        limits.entryCount = 16
        limits.depth = 8
        return limits
    }()

    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let options = input.byte()
        var archive = Array(input.rest)
        if options & 1 == 1 {
            archive = try inflated(input.pieces(of: 0))
            try require(
                try inflated(input.pieces(of: options >> 1)) == archive,
                "the inflated bytes depend on the pieces")
        }
        for start in stride(from: 0, to: archive.count - 511, by: 512)
        where archive[(start + 257)..<(start + 262)].elementsEqual("ustar".utf8) {
            makeChecksumRight(&archive, at: start)
        }
        let whole = outcome(FuzzInput(archive).pieces(of: 0))
        let pieces = outcome(FuzzInput(archive).pieces(of: options >> 1))
        try require(whole == pieces, "the outcome depends on the pieces")
        if let error = whole.error { try require(!error.text.isEmpty, "no text") }
        try checkPolicy(whole.members)
    }

    private static func inflated(_ pieces: [ArraySlice<UInt8>]) throws -> [UInt8] {
        var inflater = try GzipInflater(limit: limits.byteCount)
        var output = [UInt8](repeating: 0, count: 4096)
        var inflated: [UInt8] = []
        do throws(GzipError) {
            for var piece in pieces {
                while true {
                    let count = try inflater.inflate(&piece, into: &output)
                    if count == 0 { break }
                    inflated += output.prefix(count)
                }
                try requireUsedUp(piece)
            }
            try inflater.finish()
        } catch {
            try require(!error.text.isEmpty, "no text")
            // How much of damaged data comes out before the damage is seen depends on the pieces.
            return []
        }
        return inflated
    }

    private static func requireUsedUp(_ piece: ArraySlice<UInt8>) throws(GzipError) {
        precondition(piece.isEmpty, "No output although there is input")
    }

    private static func makeChecksumRight(_ archive: inout [UInt8], at start: Int) {
        for index in 148..<156 { archive[start + index] = UInt8(ascii: " ") }
        let sum = archive[start..<(start + 512)].reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        let field = String(repeating: "0", count: 6 - digits.count) + digits + "\0 "
        archive.replaceSubrange((start + 148)..<(start + 156), with: field.utf8)
    }

    private static func outcome(_ pieces: [ArraySlice<UInt8>]) -> Outcome {
        var reader = TarReader(limits: limits)
        var outcome = Outcome()
        do throws(TarError) {
            for var piece in pieces {
                while let event = try reader.next(&piece) {
                    switch event {
                    case .entry(let entry): outcome.members.append(Member(entry: entry))
                    case .contents(let bytes):
                        outcome.members[outcome.members.count - 1].contents += bytes
                    case .endOfEntry, .endOfArchive: continue
                    }
                }
            }
            try reader.finish()
        } catch {
            outcome.error = error
        }
        return outcome
    }

    /// Nothing that is admitted leaves the folder by its own name.
    private static func checkPolicy(_ members: [Member]) throws {
        var policy = ArchivePolicy(limits: limits)
        do {
            for member in members {
                switch try policy.admit(member.entry) {
                case .root: continue
                case .folder(let path, _), .file(let path, _, _), .symbolicLink(let path, _, _):
                    try checkPath(path)
                case .hardLink(let path, let target, _):
                    try checkPath(path)
                    if let target { try checkPath(target) }
                }
            }
            try policy.finish()
        } catch let error as PolicyViolation {
            try require(!error.text.isEmpty, "no text")
        } catch UnpackFailure.refused(_, let violation) {
            try require(!violation.text.isEmpty, "no text")
        }
    }

    private static func checkPath(_ path: ArchivePath) throws {
        for name in path.names {
            let isPlain =
                !name.isEmpty && !name.contains(0) && !name.contains(UInt8(ascii: "/"))
                && name != Array(".".utf8) && name != Array("..".utf8)
            try require(isPlain, "\(path) leaves its folder")
        }
        try require(path.names.count <= limits.depth, "\(path) is too deep")
    }
}
