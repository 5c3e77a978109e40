/// Which of an application's instances: they count from one, as in `counter-1`. On disk and in answers
/// it is a plain number.
package struct InstanceNumber: Hashable, Comparable, Strideable, Sendable, CustomStringConvertible,
    ExpressibleByIntegerLiteral
{
    package let value: Int

    /// - Precondition: `value` is at least one.
    package init(_ value: Int) {
        precondition(value >= 1, "Instances count from one")
        self.value = value
    }

    package init(integerLiteral value: Int) { self.init(value) }

    /// The numbers of that many instances.
    package static func first(_ count: Int) -> ClosedRange<InstanceNumber> {
        InstanceNumber(1)...InstanceNumber(count)
    }

    /// How many instances come before it.
    package var offset: Int { value - 1 }
    package var description: String { "\(value)" }

    package func distance(to other: InstanceNumber) -> Int { other.value - value }
    package func advanced(by count: Int) -> InstanceNumber { InstanceNumber(value + count) }
}

extension InstanceNumber: Codable {
    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer().decode(Int.self)
        guard value >= 1 else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "Instances count from one"))
        }
        self.init(value)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}

extension Array {
    /// The element of an instance, where there is one for each in the order of their numbers.
    package subscript(_ number: InstanceNumber) -> Element {
        get { self[number.offset] }
        _modify { yield &self[number.offset] }
    }
}
