/// Any Erlang value that `term_to_binary/1` can encode.
///
/// A value takes two words; wider contents are boxed. The shapes are canonical, so that `==` is
/// Erlang's `=:=`: an integer that fits `Int` is never a ``bigInteger(_:)``, a list with a list as
/// its tail is one ``list(_:)``, and a whole number of bytes is a ``binary(_:)``. Integers and
/// floats are different terms (`1` is not `1.0`). Floats are compared bit by bit: `0.0` differs
/// from `-0.0`, as it does since OTP 27.
///
/// Source: "External Term Format", erl_ext_dist.
public enum Term: Sendable {
    case integer(Int)
    /// An integer outside the range of `Int`. Make it with ``init(_:)-(BigInteger)``, which picks
    /// the right case.
    indirect case bigInteger(BigInteger)
    /// A finite number: Erlang has neither infinities nor NaN, and a decoder never returns one.
    case float(Double)
    case atom(Atom)
    case binary(Binary)
    /// A sequence of bits whose count is not a multiple of eight.
    indirect case bitstring(Bitstring)
    case tuple([Term])
    /// A proper list; `[]` is nil. Erlang writes a list of integers that are bytes as a string.
    case list(TermList)
    /// `[head… | tail]`: the head is not empty and the tail is not a list. See ``list(_:tail:)``.
    indirect case improperList([Term], Term)
    case map(TermMap)
    indirect case pid(PID)
    indirect case port(Port)
    indirect case reference(Reference)
    /// A native record of OTP 29. Records of the preprocessor are tuples.
    indirect case record(Record)
    indirect case fun(Fun)
    indirect case export(Export)
}

extension Term {
    /// An integer of any size in its canonical case.
    public init(_ value: BigInteger) {
        if let small = Int(exactly: value) {
            self = .integer(small)
        } else {
            self = .bigInteger(value)
        }
    }

    /// An integer of any width in its canonical case.
    public init(_ value: some BinaryInteger) {
        if let small = Int(exactly: value) {
            self = .integer(small)
        } else {
            self = .bigInteger(BigInteger(value))
        }
    }

    /// The atom `true` or `false`.
    public init(_ value: Bool) {
        self = .atom(value ? .true : .false)
    }

    /// A proper list.
    public static func list(_ elements: [Term]) -> Term {
        .list(TermList(elements))
    }

    /// `[elements… | tail]` in its canonical case. A tail that is itself a list is joined. Without
    /// elements this is the tail alone.
    public static func list(_ elements: [Term], tail: Term) -> Term {
        switch tail {
        case .list(let rest): return .list(elements + rest)
        case .improperList(let head, let last): return .improperList(elements + head, last)
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .tuple, .map, .pid, .port,
            .reference, .record, .fun, .export:
            return elements.isEmpty ? tail : .improperList(elements, tail)
        }
    }

    /// A list of the text's code points: `"text"` in Erlang.
    public static func charlist(_ text: String) -> Term {
        .list(TermList(integers: text.unicodeScalars.map { Int($0.value) }))
    }

    /// A binary.
    public static func binary(_ bytes: [UInt8]) -> Term {
        .binary(Binary(bytes))
    }

    /// A binary of the text's UTF-8 bytes: `<<"text"/utf8>>` in Erlang, `"text"` in Elixir.
    public static func binary(_ text: String) -> Term {
        .binary(Array(text.utf8))
    }
}

extension Term: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral
{
    public init(integerLiteral value: Int) {
        self = .integer(value)
    }

    public init(floatLiteral value: Double) {
        self = .float(value)
    }

    /// The atom `true` or `false`.
    public init(booleanLiteral value: Bool) {
        self.init(value)
    }

    /// A proper list.
    public init(arrayLiteral elements: Term...) {
        self = .list(elements)
    }
}
