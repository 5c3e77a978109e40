internal import Transport

/// Reads big-endian fields from the front of a message; `nil` when there are not enough bytes.
///
/// Source: "All integers are in big-endian order", erl_dist_protocol.
struct BigEndianReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    mutating func readUInt8() -> UInt8? {
        rest.popFirst()
    }

    mutating func readUInt16() -> UInt16? {
        readBytes(count: 2).map { $0.reduce(0) { $0 << 8 | UInt16($1) } }
    }

    mutating func readUInt32() -> UInt32? {
        readBytes(count: 4).map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    mutating func readBytes(count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// A field that follows its 2-byte length.
    mutating func readCounted() -> ArraySlice<UInt8>? {
        readUInt16().flatMap { readBytes(count: Int($0)) }
    }

    /// All remaining bytes.
    mutating func readRest() -> ArraySlice<UInt8> {
        defer { rest = [] }
        return rest
    }
}

extension BigEndianReader {
    /// A node's fields, in the form of `ALIVE2_REQ` and `PORT2_RESP`; `nil` when they are cut
    /// short.
    mutating func readNode<Failure: Error>(
        invalidName: Failure
    ) throws(Failure) -> EPMDNodeInfo? {
        guard let port = readUInt16(), let type = readUInt8(), let protocolNumber = readUInt8(),
            let highest = readUInt16(), let lowest = readUInt16(), let nameBytes = readCounted(),
            let extra = readCounted()
        else { return nil }
        guard let name = EPMDName.decode(nameBytes) else { throw invalidName }
        return EPMDNodeInfo(
            name: name, port: port, type: .init(rawValue: type), protocolNumber: protocolNumber,
            highestVersion: highest, lowestVersion: lowest, extra: Array(extra))
    }
}

extension EPMDNodeInfo {
    /// The fields that ``BigEndianReader/readNode(invalidName:)`` reads.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: port)
        bytes += [type.rawValue, protocolNumber]
        bytes.append(bigEndian: highestVersion)
        bytes.append(bigEndian: lowestVersion)
        bytes.append(bigEndian: UInt16(clamping: name.utf8.count))
        bytes += name.utf8
        bytes.append(bigEndian: UInt16(clamping: extra.count))
        return bytes + extra
    }
}
