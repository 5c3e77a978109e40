/// A native record of OTP 29 and later, `#module:name{field = value, …}`. It is not a tuple. Nodes
/// before OTP 29 do not understand native records: a message that contains one ends the connection
/// to them.
///
/// Source: the bytes that `term_to_binary/1` of OTP 29 writes; the documentation of the format
/// lacks them.
public struct Record: Hashable, Sendable {
    /// The module that defines it.
    public let module: Atom
    /// Its name there.
    public let name: Atom
    /// The byte of flags as it is encoded.
    let flags: UInt8
    /// The names of the fields in the order of their definition.
    public let keys: [Atom]
    /// Their values in the same order.
    public private(set) var values: [Term]

    /// Makes a record from all its parts.
    /// - Parameter isExported: whether the module allows others to look inside (`-export_record`).
    /// - Precondition: there are as many values as keys.
    public init(
        module: Atom, name: Atom, isExported: Bool = true, keys: [Atom], values: [Term]
    ) {
        self.init(module: module, name: name, flags: isExported ? 1 : 0, keys: keys, values: values)
        precondition(keys.count == values.count, "Each field has a value")
    }

    init(module: Atom, name: Atom, flags: UInt8, keys: [Atom], values: [Term]) {
        self.module = module
        self.name = name
        self.flags = flags
        self.keys = keys
        self.values = values
    }

    /// The same record with other values.
    init(_ head: Record, values: [Term]) {
        self = head
        self.values = values
    }

    /// Whether the module allows others to look inside (`-export_record`).
    public var isExported: Bool { flags & 1 != 0 }

    /// The value of a field; `nil` when there is no such field.
    public subscript(key: Atom) -> Term? {
        keys.firstIndex(of: key).map { values[$0] }
    }
}

extension Term {
    /// The term as a native record of OTP 29. For records that are tuples see ``asTuple``.
    public var asRecord: Record? {
        if case .record(let record) = self { record } else { nil }
    }

    func isRecord(_ record: Record) -> Bool {
        if case .record(let own) = self { own == record } else { false }
    }
}
