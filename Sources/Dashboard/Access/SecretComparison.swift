/// Comparison of secrets in a time that does not depend on where they differ.
package enum SecretComparison {
    /// Whether both are equal. The length of `expected` is no secret.
    package static func areEqual(_ given: [UInt8], _ expected: [UInt8]) -> Bool {
        var difference = given.count == expected.count ? UInt8(0) : 1
        for index in expected.indices {
            difference |= expected[index] ^ (index < given.count ? given[index] : 0)
        }
        return difference == 0
    }
}
