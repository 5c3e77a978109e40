/// A process on some node.
///
/// Source: `NEW_PID_EXT`, erl_ext_dist.
public struct PID: Hashable, Sendable {
    /// The name of the node.
    public var node: Atom
    /// Which process of the node it is, together with ``serial``; 32 bits between nodes of OTP 25
    /// and later.
    public var id: UInt32
    /// The upper part of the process's number. Nodes increase it when the lower part starts again.
    public var serial: UInt32
    /// Which life of the node the process belongs to: a restarted node has another creation.
    public var creation: UInt32

    /// A process, from all the parts of its pid. An invented pid makes a real node close the
    /// connection.
    public init(node: Atom, id: UInt32, serial: UInt32, creation: UInt32) {
        self.node = node
        self.id = id
        self.serial = serial
        self.creation = creation
    }
}

/// A port (an open file, socket or driver) on some node.
///
/// Source: `NEW_PORT_EXT` and, for ids of more than 28 bits, `V4_PORT_EXT`, erl_ext_dist.
public struct Port: Hashable, Sendable {
    /// The name of the node.
    public var node: Atom
    /// Which port of the node it is.
    public var id: UInt64
    /// Which life of the node it belongs to.
    public var creation: UInt32

    /// A port, from all its parts.
    public init(node: Atom, id: UInt64, creation: UInt32) {
        self.node = node
        self.id = id
        self.creation = creation
    }
}

/// A unique reference of some node. It also identifies a monitor, an alias or a call.
///
/// The words are stored inline, because every RPC looks its reference up in a table.
///
/// Source: `NEWER_REFERENCE_EXT`, erl_ext_dist.
public struct Reference: Hashable, Sendable {
    /// How many words a reference can have.
    public static let wordCounts = 1...5

    /// The name of the node that made it.
    public var node: Atom
    /// Which life of the node made it.
    public var creation: UInt32
    /// How many of the five slots are in use; those after it are 0.
    let count: UInt8
    var first, second, third, fourth, fifth: UInt32

    /// A reference of 1 to 5 words, in their order on the wire.
    /// - Precondition: ``wordCounts`` contains the number of words.
    public init(node: Atom, creation: UInt32, words: [UInt32]) {
        precondition(Self.wordCounts.contains(words.count), "A reference has 1 to 5 words")
        self.init(node: node, creation: creation, count: words.count) { words[$0] }
    }

    /// A reference whose words are read one after the other.
    init<Failure: Error>(
        node: Atom, creation: UInt32, count: Int, word: (Int) throws(Failure) -> UInt32
    ) throws(Failure) {
        self.node = node
        self.creation = creation
        self.count = UInt8(truncatingIfNeeded: count)
        first = try word(0)
        second = count > 1 ? try word(1) : 0
        third = count > 2 ? try word(2) : 0
        fourth = count > 3 ? try word(3) : 0
        fifth = count > 4 ? try word(4) : 0
    }

    /// The words in their order on the wire.
    public var words: [UInt32] {
        Array([first, second, third, fourth, fifth].prefix(Int(count)))
    }
}

/// `fun module:function/arity`, a function by name.
///
/// Source: `EXPORT_EXT`, erl_ext_dist.
public struct Export: Hashable, Sendable {
    /// The module, whether it exists or not.
    public var module: Atom
    /// The function's name.
    public var function: Atom
    /// How many arguments it takes.
    public var arity: UInt8

    /// `fun module:function/arity`.
    public init(module: Atom, function: Atom, arity: UInt8) {
        self.module = module
        self.function = function
        self.arity = arity
    }
}
