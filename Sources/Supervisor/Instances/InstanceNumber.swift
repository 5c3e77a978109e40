/// The number of an instance within its application. Numbers begin at one, as in `counter-1`. On
/// disk and in answers it is a plain number.
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

    /// The numbers of the first `count` instances.
    package static func first(_ count: Int) -> ClosedRange<InstanceNumber> {
        InstanceNumber(1)...InstanceNumber(count)
    }

    /// How many instances come before it.
    package var offset: Int { value - 1 }
    package var description: String { "\(value)" }

    package func distance(to other: InstanceNumber) -> Int { other.value - value }
    package func advanced(by count: Int) -> InstanceNumber { InstanceNumber(value + count) }
}

extension InstanceNumber: RawRepresentable, Codable {
    package var rawValue: Int { value }

    package init?(rawValue: Int) {
        guard rawValue >= 1 else { return nil }
        self.init(rawValue)
    }
}

extension Array {
    /// An instance's element in an array that has one element per instance, in the order of their
    /// numbers.
    package subscript(_ number: InstanceNumber) -> Element {
        get { self[number.offset] }
        _modify { yield &self[number.offset] }
    }
}
