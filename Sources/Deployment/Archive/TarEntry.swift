/// One member of a tar archive as its headers describe it. Only its format has been checked so far.
/// Names are bytes, as the kernel keeps them.
package struct TarEntry: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case file
        case folder
        /// A symbolic link with its target, relative to the link's folder.
        case symbolicLink(target: [UInt8])
        /// A second name for an earlier entry: a path from the archive's root.
        case hardLink(target: [UInt8])
    }

    package var path: [UInt8]
    package var kind: Kind
    /// The permission bits as stored, at most `0o7777`.
    package var mode: UInt32 = 0o644
    /// Bytes of contents that follow; 0 for everything but a file.
    package var byteCount: Int64 = 0
    /// Seconds since 1970, never negative.
    package var modified: Int64 = 0
}

/// Why bytes are not a tar archive that can be unpacked. `entry` is the member with the error, or
/// the last one before it; "" when there was none.
package enum TarError: Error, Equatable, Sendable {
    /// The stream ended before the archive did.
    case truncated(entry: String)
    /// The header's checksum does not match: the archive is damaged, or is not a tar archive at
    /// all.
    case wrongChecksum(entry: String)
    /// A size, mode or time that is not a number, or is out of range.
    case wrongNumber(entry: String, field: String)
    /// A pax record whose length, equals sign or newline is not where it belongs.
    case malformedExtendedHeader(entry: String)
    case extendedHeaderTooLong(entry: String, byteCount: Int64)
    /// A long name or extended header without a member after it.
    case danglingExtendedHeader(entry: String)
    /// A link or a folder with contents of its own.
    case unexpectedContents(entry: String)
    /// A device, a FIFO, a sparse file, a part of a multi-volume archive, …
    case unsupportedType(entry: String, type: String)
    /// A NUL inside a name.
    case nulInName(entry: String)
    /// More contents than ``ArchiveLimits/byteCount`` allows.
    case tooLong(entry: String, byteCount: Int64)

    /// What is wrong, as words that fit after a colon.
    package var text: String {
        switch self {
        case .truncated(let entry): "it ends too early, \(Self.after(entry))"
        case .wrongChecksum(let entry): "a header's checksum is wrong, \(Self.after(entry))"
        case .wrongNumber(let entry, let field): "the \(field) of `\(entry)` is not a valid number"
        case .malformedExtendedHeader(let entry):
            "an extended header is malformed, \(Self.after(entry))"
        case .extendedHeaderTooLong(let entry, let byteCount):
            "an extended header has \(byteCount) bytes, \(Self.after(entry))"
        case .danglingExtendedHeader(let entry):
            "an extended header describes nothing, \(Self.after(entry))"
        case .unexpectedContents(let entry): "`\(entry)` has contents but is no file"
        case .unsupportedType(let entry, let type): "`\(entry)` is \(type)"
        case .nulInName(let entry): "`\(entry)` has a NUL byte in its name"
        case .tooLong(let entry, let byteCount): "`\(entry)` has \(byteCount) bytes"
        }
    }

    private static func after(_ entry: String) -> String {
        entry.isEmpty ? "at its beginning" : "at or after `\(entry)`"
    }
}
