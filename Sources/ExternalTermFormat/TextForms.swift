// Text for the public types.

extension Term: CustomStringConvertible {
    /// The term in Erlang's syntax, on one line; see ``erlangText(maximumByteCount:)``.
    public var description: String { erlangText() }

    /// The term in Erlang's syntax, on one line, as `io_lib:format("~0tp", [Term])` writes it under
    /// `erl +pc unicode`. Lists of printable characters are strings; atoms have quotes where they
    /// need them.
    ///
    /// ``init(text:limits:)`` reads it back, except for pids, ports, references and closures, which
    /// have no syntax. They are shown with their node's name: `<a@host.45.0>`. Integers of more
    /// than ``BigInteger/maximumDecimalByteCount`` bytes are written in base 16, because decimal
    /// takes quadratic time.
    /// - Parameter maximumByteCount: after this many bytes of UTF-8 the text ends with `...`.
    public func erlangText(maximumByteCount: Int = .max) -> String {
        erlangText(maximumByteCount: maximumByteCount, showsStrings: true)
    }

    /// The term in Erlang's syntax. If strings are not shown, lists and binaries are written as
    /// numbers, as `~w` does.
    package func erlangText(maximumByteCount: Int, showsStrings: Bool) -> String {
        var writer = TextWriter(maximumByteCount: maximumByteCount, showsStrings: showsStrings)
        writer.write(self)
        return writer.text()
    }
}

extension Atom: CustomStringConvertible {
    /// The atom in Erlang's syntax, in quotes if it needs them. The bare name is ``name``.
    public var description: String { Term.atom(self).erlangText() }
}

extension PID: CustomStringConvertible {
    /// `<a@host.45.0>`
    public var description: String { Term.pid(self).erlangText() }
}

extension Port: CustomStringConvertible {
    /// `#Port<a@host.5>`
    public var description: String { Term.port(self).erlangText() }
}

extension Reference: CustomStringConvertible {
    /// `#Ref<a@host.1.2.3>`
    public var description: String { Term.reference(self).erlangText() }
}

extension Export: CustomStringConvertible {
    /// `fun lists:map/2`
    public var description: String { Term.export(self).erlangText() }
}

extension Fun: CustomStringConvertible {
    /// `#Fun<erl_eval.43.3316493>`
    public var description: String { Term.fun(self).erlangText() }
}

extension TermMap: CustomStringConvertible {
    /// `#{a => 1,b => 2}`
    public var description: String { Term.map(self).erlangText() }
}

extension Bitstring: CustomStringConvertible {
    /// `<<1,2:4>>`
    public var description: String { Term.bitstring(self).erlangText() }
}
