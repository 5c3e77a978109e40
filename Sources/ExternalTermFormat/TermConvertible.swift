/// A Swift value that can be written as a term and read from one.
///
/// ```swift
/// let ages: [String: Int] = try reply.converted()
/// let request: Term = .tuple([.atom("set"), ages.term])
/// ```
/// | Swift | term |
/// |---|---|
/// | integers | integer |
/// | `Double` | float; an integer is read too |
/// | `Bool` | the atoms `true` and `false` |
/// | `String` | a binary of UTF-8; a list of code points is read too |
/// | `Array` | list |
/// | `Dictionary` | map |
/// | `Optional` | the value's own term, or `undefined`; Elixir's `nil` is read too |
/// | `Atom`, `PID`, `Port`, `Reference`, `Term` | themselves |
///
/// Your own types say how they are built:
/// ```swift
/// struct Point: TermConvertible {
///     var x: Double, y: Double
///     var term: Term { .tuple([x.term, y.term]) }
///     init(term: Term) throws(TermConversionError) {
///         guard let fields = term.asTuple, fields.count == 2 else {
///             throw TermConversionError(expected: "{X, Y}", found: term)
///         }
///         (x, y) = (try fields[0].converted(), try fields[1].converted())
///     }
/// }
/// ```
public protocol TermConvertible {
    /// The value as a term.
    var term: Term { get }

    /// The value that `term` stands for.
    init(term: Term) throws(TermConversionError)
}

/// A term does not have the expected shape.
public struct TermConversionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was expected, in words.
    public var expected: String
    /// The term that was there instead.
    public var found: Term
    /// Where the term was: list indices and map keys, the outermost first.
    public var path: [Term]

    public init(expected: String, found: Term, path: [Term] = []) {
        self.expected = expected
        self.found = found
        self.path = path
    }

    /// "expected an integer at [<<"ages">>, 2], found foo"
    public var description: String {
        let place = path.isEmpty ? "" : " at [\(path.map(\.brief).joined(separator: ", "))]"
        return "expected \(expected)\(place), found \(found.brief)"
    }

    fileprivate func inside(_ step: Term) -> TermConversionError {
        TermConversionError(expected: expected, found: found, path: [step] + path)
    }
}

extension Term {
    /// The term as a value of the expected type.
    public func converted<Value: TermConvertible>(
        to type: Value.Type = Value.self
    ) throws(TermConversionError) -> Value {
        try Value(term: self)
    }

    /// `value`, which was read from this term; throws when it is `nil`.
    fileprivate func wanted<Value>(
        _ value: Value?, _ expected: @autoclosure () -> String
    ) throws(TermConversionError) -> Value {
        guard let value else { throw TermConversionError(expected: expected(), found: self) }
        return value
    }
}

extension Term: TermConvertible {
    public var term: Term { self }

    public init(term: Term) {
        self = term
    }
}

// MARK: Numbers

extension TermConvertible where Self: FixedWidthInteger {
    public var term: Term { Term(self) }

    public init(term: Term) throws(TermConversionError) {
        let value: Self? =
            switch term {
            case .integer(let value): Self(exactly: value)
            case .bigInteger(let value): Self(exactly: value)
            case .float, .atom, .binary, .bitstring, .tuple, .list, .improperList, .map, .pid,
                .port, .reference, .record, .fun, .export:
                nil
            }
        self = try term.wanted(value, "an integer from \(Self.min) to \(Self.max)")
    }
}

extension Int: TermConvertible {}
extension Int8: TermConvertible {}
extension Int16: TermConvertible {}
extension Int32: TermConvertible {}
extension Int64: TermConvertible {}
extension UInt: TermConvertible {}
extension UInt8: TermConvertible {}
extension UInt16: TermConvertible {}
extension UInt32: TermConvertible {}
extension UInt64: TermConvertible {}

extension Double: TermConvertible {
    /// - Precondition: the number is finite; Erlang has no others.
    public var term: Term { .float(self) }

    public init(term: Term) throws(TermConversionError) {
        self = try term.wanted(term.asFloat ?? term.asInteger.map(Double.init), "a number")
    }
}

extension Bool: TermConvertible {
    public var term: Term { Term(self) }

    public init(term: Term) throws(TermConversionError) {
        self = try term.wanted(term.asBool, "true or false")
    }
}

// MARK: Text and names

extension String: TermConvertible {
    public var term: Term { .binary(self) }

    public init(term: Term) throws(TermConversionError) {
        self = try term.wanted(term.asText, "text")
    }
}

extension Atom: TermConvertible {
    public var term: Term { .atom(self) }

    public init(term: Term) throws(TermConversionError) {
        self = try term.wanted(term.asAtom, "an atom")
    }
}

extension PID: TermConvertible {
    public var term: Term { .pid(self) }

    public init(term: Term) throws(TermConversionError) {
        self = try term.wanted(term.asPID, "a pid")
    }
}

extension Port: TermConvertible {
    public var term: Term { .port(self) }

    public init(term: Term) throws(TermConversionError) {
        self = try term.wanted(term.asPort, "a port")
    }
}

extension Reference: TermConvertible {
    public var term: Term { .reference(self) }

    public init(term: Term) throws(TermConversionError) {
        self = try term.wanted(term.asReference, "a reference")
    }
}

// MARK: Containers

extension Optional: TermConvertible where Wrapped: TermConvertible {
    public var term: Term {
        self?.term ?? .atom(.undefined)
    }

    public init(term: Term) throws(TermConversionError) {
        if term == .atom(.undefined) || term == .atom(.nil) {
            self = nil
        } else {
            self = try Wrapped(term: term)
        }
    }
}

extension Array: TermConvertible where Element: TermConvertible {
    public var term: Term { .list(map(\.term)) }

    public init(term: Term) throws(TermConversionError) {
        let terms = try term.wanted(term.asList, "a list")
        self = []
        reserveCapacity(terms.count)
        for (index, term) in terms.enumerated() {
            do throws(TermConversionError) {
                append(try Element(term: term))
            } catch {
                throw error.inside(.integer(index))
            }
        }
    }
}

extension Dictionary: TermConvertible where Key: TermConvertible, Value: TermConvertible {
    /// The pairs in no particular order.
    public var term: Term {
        .map(TermMap(map { (key: $0.key.term, value: $0.value.term) }))
    }

    public init(term: Term) throws(TermConversionError) {
        let map = try term.wanted(term.asMap, "a map")
        self = [:]
        reserveCapacity(map.count)
        for pair in map.pairs {
            do throws(TermConversionError) {
                let old = updateValue(try Value(term: pair.value), forKey: try Key(term: pair.key))
                // Text can be a binary or a list. For Erlang these are two keys.
                guard old == nil else {
                    throw TermConversionError(expected: "distinct keys", found: pair.key)
                }
            } catch {
                throw error.inside(pair.key)
            }
        }
    }
}
