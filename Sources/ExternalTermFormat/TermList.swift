/// The elements of a proper list.
///
/// The decoder keeps a list that contains only integers, such as text and iodata, as numbers. How a
/// list is kept shows only in time and memory.
public struct TermList: Sendable {
    enum Storage: Sendable {
        case terms([Term])
        case integers([Int])
    }

    let storage: Storage

    public init(_ elements: [Term] = []) {
        storage = .terms(elements)
    }

    /// A list of integers.
    public init(integers: [Int]) {
        storage = .integers(integers)
    }
}

extension TermList: RandomAccessCollection {
    public var startIndex: Int { 0 }

    public var endIndex: Int {
        switch storage {
        case .terms(let elements): elements.count
        case .integers(let integers): integers.count
        }
    }

    public subscript(_ index: Int) -> Term {
        switch storage {
        case .terms(let elements): elements[index]
        case .integers(let integers): .integer(integers[index])
        }
    }
}

extension TermList: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Term...) {
        self.init(elements)
    }
}

extension TermList: Hashable {
    public static func == (left: TermList, right: TermList) -> Bool {
        switch (left.storage, right.storage) {
        case (.terms(let left), .terms(let right)): left == right
        case (.integers(let left), .integers(let right)): left == right
        case (.terms(let terms), .integers(let integers)),
            (.integers(let integers), .terms(let terms)):
            areEqual(terms, integers)
        }
    }

    private static func areEqual(_ terms: [Term], _ integers: [Int]) -> Bool {
        terms.count == integers.count
            && zip(terms, integers).allSatisfy { term, integer in
                if case .integer(integer) = term { true } else { false }
            }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        switch storage {
        case .terms(let elements): for element in elements { element.hash(into: &hasher) }
        case .integers(let integers):
            for integer in integers { Term.integer(integer).hash(into: &hasher) }
        }
    }
}

extension [Term] {
    /// The elements of a list. Elements that are kept as numbers are copied.
    public init(_ list: TermList) {
        switch list.storage {
        case .terms(let elements): self = elements
        case .integers(let integers): self = integers.map { .integer($0) }
        }
    }
}
