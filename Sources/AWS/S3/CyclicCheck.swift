/// A cyclic redundancy check with reflected bits, as S3 makes them of its objects.
///
/// Source: "Checking object integrity", Amazon S3 User Guide; the polynomials are those of the
/// catalogue of CRC algorithms: CRC-32/ISO-HDLC, CRC-32/ISCSI, CRC-64/NVME.
struct CyclicCheck: Equatable, Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case crc32, crc32c, crc64nvme

        /// Reflected.
        fileprivate var polynomial: UInt64 {
            switch self {
            case .crc32: 0xEDB8_8320
            case .crc32c: 0x82F6_3B78
            case .crc64nvme: 0x9A6C_9329_AC4B_C9B5
            }
        }

        fileprivate var byteCount: Int { self == .crc64nvme ? 8 : 4 }
        fileprivate var ones: UInt64 { self == .crc64nvme ? .max : 0xFFFF_FFFF }
    }

    let kind: Kind
    private let table: [UInt64]
    private var state: UInt64

    init(_ kind: Kind) {
        self.kind = kind
        state = kind.ones
        table = (0..<256).map { (byte: UInt64) in
            (0..<8).reduce(byte) { value, _ in
                value & 1 == 1 ? value >> 1 ^ kind.polynomial : value >> 1
            }
        }
    }

    mutating func update(_ bytes: [UInt8]) {
        var state = state
        table.withUnsafeBufferPointer { table in
            for byte in bytes {
                state = table[Int(truncatingIfNeeded: (state ^ UInt64(byte)) & 0xFF)] ^ state >> 8
            }
        }
        self.state = state
    }

    /// The check of what has been given, the most significant byte first.
    var value: [UInt8] {
        let value = state ^ kind.ones
        return (0..<kind.byteCount).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
