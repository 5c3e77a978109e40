import ExternalTermFormat
import TestKit
import Testing

@Suite struct BigIntegerTests {
    @Test func `zero has no sign and no bytes`() {
        let zero = BigInteger(isNegative: true, littleEndianMagnitude: [0, 0])
        #expect(zero == BigInteger(0))
        #expect(!zero.isNegative)
        #expect(zero.littleEndianMagnitude == [])
        #expect(zero.description == "0")
        #expect(BigInteger("-0") == zero)
    }

    @Test func `fixed widths go in and out at their bounds`() {
        #expect(Int(exactly: BigInteger(Int.min)) == .min)
        #expect(Int(exactly: BigInteger(Int.max)) == .max)
        #expect(Int(exactly: BigInteger(UInt64.max)) == nil)
        #expect(Int(exactly: BigInteger("-9223372036854775809")!) == nil)
        #expect(UInt64(exactly: BigInteger(UInt64.max)) == .max)
        #expect(UInt64(exactly: BigInteger(-1)) == nil)
        #expect(UInt8(exactly: BigInteger(256)) == nil)
        #expect(Int8(exactly: BigInteger(-128)) == -128)
        #expect(UInt64(exactly: BigInteger("18446744073709551616")!) == nil)
    }

    @Test func `digits agree with Swift's in every base`() {
        for radix in 2...36 {
            for value: Int in [1, -1, 35, 36, 255, 65536, 4_294_967_295, 4_294_967_296, .max, .min]
            {
                let text = String(value, radix: radix, uppercase: true)
                #expect(BigInteger(value).text(radix: radix) == text)
                #expect(BigInteger(text, radix: radix) == BigInteger(value))
                #expect(BigInteger(text.lowercased(), radix: radix) == BigInteger(value))
            }
        }
    }

    @Test func `hundreds of digits come back in every base`() {
        var random = SeededRandom(seed: 7)
        for round in 0..<200 {
            let value = BigInteger(
                isNegative: round % 2 == 0,
                littleEndianMagnitude: (0..<random.below(300)).map { _ in UInt8(random.below(256)) }
            )
            let radix = 2 + round % 35
            #expect(value.text(radix: radix).flatMap { BigInteger($0, radix: radix) } == value)
        }
        #expect(
            BigInteger("1" + String(repeating: "0", count: 38))?.littleEndianMagnitude.count == 16)
        #expect(
            BigInteger("340282366920938463463374607431768211456")?.littleEndianMagnitude
                == [UInt8](repeating: 0, count: 16) + [1])
    }

    @Test func `what is no number is none`() {
        for text in ["", "-", "+", "1a", " 1", "1 ", "--1", "१"] {
            #expect(BigInteger(text) == nil)
        }
        #expect(BigInteger("12", radix: 2) == nil)
    }

    @Test func `a huge number is written in base 16 instead of taking forever`() throws {
        let limit = BigInteger.maximumDecimalByteCount
        let largest = BigInteger(
            isNegative: true, littleEndianMagnitude: [UInt8](repeating: 255, count: limit))
        #expect(largest.text(radix: 10)?.count == 9866)
        #expect(BigInteger(largest.description) == largest)

        let huge = BigInteger(
            isNegative: true, littleEndianMagnitude: [UInt8](repeating: 0, count: limit) + [1])
        #expect(huge.text(radix: 10) == nil)
        #expect(huge.description == "-16#1" + String(repeating: "0", count: limit * 2))
        #expect(try Term(text: huge.description) == .bigInteger(huge))
        #expect(BigInteger(String(repeating: "9", count: 9867)) == nil)
        #expect(BigInteger(String(repeating: "9", count: 10_000_000)) == nil)
    }
}
