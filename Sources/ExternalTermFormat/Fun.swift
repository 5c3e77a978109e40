/// A closure made on some node. It is kept whole, so that it can be handed back unchanged.
///
/// Source: `NEW_FUN_EXT`, erl_ext_dist.
public struct Fun: Hashable, Sendable {
    /// How many arguments it takes.
    public let arity: UInt8
    /// The 16-byte MD5 of the significant parts of the module's code.
    public let uniq: [UInt8]
    /// The fun's number in its module.
    public let index: UInt32
    /// The module that contains the fun's code.
    public let module: Atom
    /// The number by which older nodes distinguish the funs of a module.
    public let oldIndex: Int
    /// The number by which older nodes distinguish the versions of a module.
    public let oldUniq: Int
    /// The process in which the fun was made.
    public let pid: PID
    /// The values that the fun captured where it was made.
    public private(set) var freeVariables: [Term]

    /// Makes a fun from all its parts.
    /// - Precondition: `uniq` has 16 bytes.
    public init(
        arity: UInt8, uniq: [UInt8], index: UInt32, module: Atom, oldIndex: Int, oldUniq: Int,
        pid: PID, freeVariables: [Term]
    ) {
        precondition(uniq.count == 16, "The MD5 of a module has 16 bytes")
        self.arity = arity
        self.uniq = uniq
        self.index = index
        self.module = module
        self.oldIndex = oldIndex
        self.oldUniq = oldUniq
        self.pid = pid
        self.freeVariables = freeVariables
    }

    /// The same fun with other free variables.
    init(_ head: Fun, freeVariables: [Term]) {
        self = head
        self.freeVariables = freeVariables
    }
}
