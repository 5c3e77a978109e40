/// Reads a tar archive from bytes in pieces of any size: v7, ustar, pax and GNU long names.
///
/// It does no I/O. Give each piece to ``next(_:)`` until that returns `nil`, then the next piece;
/// at the end of the stream call ``finish()``. The contents of files are never copied: they are
/// returned as slices of the piece. Do not use the reader again after an error.
///
/// Source: POSIX.1-2017, pax; GNU tar manual, "Tar Internals".
package struct TarReader {
    package enum Event: Equatable {
        /// A member begins. Its contents follow, then ``endOfEntry``.
        case entry(TarEntry)
        /// The next bytes of the member's contents, in the storage of the given piece.
        case contents(ArraySlice<UInt8>)
        case endOfEntry
        /// The block of zeros. Like tar, the reader ignores everything after it.
        case endOfArchive
    }

    private enum State: Equatable {
        case header
        case contents(left: Int64, padding: Int64)
        case padding(left: Int64)
        /// The contents of a long name or an extended header.
        case extendedHeader(type: UInt8, left: Int64, padding: Int64)
        case ended
    }

    private let limits: ArchiveLimits
    private var state = State.header
    private var block: [UInt8] = []
    private var extensionBytes: [UInt8] = []
    /// Applies to every member from here on (type `g`).
    private var global = PaxRecords()
    /// Applies to the next member only (type `x`).
    private var local: PaxRecords?
    private var longName: [UInt8]?
    private var longLinkName: [UInt8]?
    /// The last member seen, for errors.
    private var last = ""

    package init(limits: ArchiveLimits = ArchiveLimits()) {
        self.limits = limits
        block.reserveCapacity(TarHeader.byteCount)
    }

    /// Whether the end of the archive has been seen.
    package var isEnded: Bool { state == .ended }

    /// Reads the next event and removes its bytes from `piece`; `nil` when the piece is used up.
    package mutating func next(
        _ piece: inout ArraySlice<UInt8>
    ) throws(TarError) -> Event? {
        while true {
            switch state {
            case .header:
                guard fillBlock(from: &piece) else { return nil }
                defer { block.removeAll(keepingCapacity: true) }
                guard let header = try TarHeader(block, after: last) else {
                    guard !hasPendingExtension else { throw .danglingExtendedHeader(entry: last) }
                    state = .ended
                    return .endOfArchive
                }
                if let event = try begin(header) { return event }
            case .contents(let left, let padding):
                guard left > 0 else {
                    state = .padding(left: padding)
                    return .endOfEntry
                }
                guard !piece.isEmpty else { return nil }
                let count = Int(min(left, Int64(piece.count)))
                state = .contents(left: left - Int64(count), padding: padding)
                defer { piece = piece.dropFirst(count) }
                return .contents(piece.prefix(count))
            case .padding(let left):
                guard left > 0 else {
                    state = .header
                    continue
                }
                guard !piece.isEmpty else { return nil }
                let count = Int(min(left, Int64(piece.count)))
                state = .padding(left: left - Int64(count))
                piece = piece.dropFirst(count)
            case .extendedHeader(let type, let left, let padding):
                guard left > 0 else {
                    try endExtension(type)
                    state = .padding(left: padding)
                    continue
                }
                guard !piece.isEmpty else { return nil }
                let count = Int(min(left, Int64(piece.count)))
                extensionBytes += piece.prefix(count)
                state = .extendedHeader(type: type, left: left - Int64(count), padding: padding)
                piece = piece.dropFirst(count)
            case .ended:
                piece = []
                return nil
            }
        }
    }

    /// Ends the stream.
    /// - Throws: ``TarError/truncated(entry:)`` when the archive is not complete.
    package func finish() throws(TarError) {
        guard isEnded else { throw .truncated(entry: last) }
    }

    private mutating func fillBlock(from piece: inout ArraySlice<UInt8>) -> Bool {
        let count = min(TarHeader.byteCount - block.count, piece.count)
        block += piece.prefix(count)
        piece = piece.dropFirst(count)
        return block.count == TarHeader.byteCount
    }

    private var hasPendingExtension: Bool {
        local != nil || longName != nil || longLinkName != nil
    }

    private static func padding(after byteCount: Int64) -> Int64 {
        (512 - byteCount % 512) % 512
    }

    private mutating func begin(_ header: TarHeader) throws(TarError) -> Event? {
        switch header.type {
        case UInt8(ascii: "L"), UInt8(ascii: "K"), UInt8(ascii: "x"), UInt8(ascii: "g"):
            guard header.byteCount <= Int64(limits.extendedHeaderByteCount) else {
                throw .extendedHeaderTooLong(entry: last, byteCount: header.byteCount)
            }
            extensionBytes.removeAll(keepingCapacity: true)
            state = .extendedHeader(
                type: header.type, left: header.byteCount,
                padding: Self.padding(after: header.byteCount))
            return nil
        default:
            let entry = try entry(header)
            state = .contents(
                left: entry.byteCount, padding: Self.padding(after: entry.byteCount))
            return .entry(entry)
        }
    }

    private mutating func endExtension(_ type: UInt8) throws(TarError) {
        switch type {
        case UInt8(ascii: "L"): longName = try gnuName()
        case UInt8(ascii: "K"): longLinkName = try gnuName()
        case UInt8(ascii: "g"): try apply(to: &global)
        default:
            var records = local ?? PaxRecords()
            try apply(to: &records)
            local = records
        }
    }

    /// A GNU long name, which ends with NULs.
    private func gnuName() throws(TarError) -> [UInt8] {
        let name = extensionBytes.prefix { $0 != 0 }
        guard extensionBytes[name.endIndex...].allSatisfy({ $0 == 0 }) else {
            throw .nulInName(entry: printable(extensionBytes))
        }
        return Array(name)
    }

    private func apply(to records: inout PaxRecords) throws(TarError) {
        do {
            try records.apply(extensionBytes[...])
        } catch {
            switch error {
            case .malformed: throw .malformedExtendedHeader(entry: last)
            case .wrongNumber(let field): throw .wrongNumber(entry: last, field: field)
            case .sparse:
                throw .unsupportedType(
                    entry: records.path.map { printable($0) } ?? last, type: "a sparse file")
            case .nul: throw .nulInName(entry: last)
            }
        }
    }

    /// The member that `header` and the extended headers before it describe.
    private mutating func entry(_ header: TarHeader) throws(TarError) -> TarEntry {
        let path = local?.path ?? longName ?? global.path ?? header.name
        let target = local?.linkPath ?? longLinkName ?? global.linkPath ?? header.linkName
        let byteCount = local?.byteCount ?? global.byteCount ?? header.byteCount
        let modified = local?.modified ?? global.modified ?? header.modified
        local = nil
        longName = nil
        longLinkName = nil
        last = printable(path)

        var kind: TarEntry.Kind
        switch header.type {
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): kind = .file
        case UInt8(ascii: "1"): kind = .hardLink(target: target)
        case UInt8(ascii: "2"): kind = .symbolicLink(target: target)
        case UInt8(ascii: "5"): kind = .folder
        default:
            throw .unsupportedType(entry: last, type: Self.describe(header.type))
        }
        // Before there was a type for folders, a slash at the end marked them.
        if kind == .file, path.last == UInt8(ascii: "/") { kind = .folder }
        guard kind == .file || byteCount == 0 else { throw .unexpectedContents(entry: last) }
        guard byteCount <= limits.byteCount else {
            throw .tooLong(entry: last, byteCount: byteCount)
        }
        return TarEntry(
            path: path, kind: kind, mode: UInt32(truncatingIfNeeded: header.mode & 0o7777),
            byteCount: byteCount, modified: min(max(modified, 0), 253_402_300_799))
    }

    private static func describe(_ type: UInt8) -> String {
        switch type {
        case UInt8(ascii: "3"): "a character device"
        case UInt8(ascii: "4"): "a block device"
        case UInt8(ascii: "6"): "a FIFO"
        case UInt8(ascii: "S"): "a sparse file"
        case UInt8(ascii: "M"): "the rest of a file from another volume"
        default: "of the unknown type `\(printable([type]))`"
        }
    }
}
