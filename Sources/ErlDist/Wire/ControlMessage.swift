internal import ExternalTermFormat

/// A process, as a monitor names it.
enum ProcessIdentifier: Hashable, Sendable {
    case pid(PID)
    /// A registered name on the node that the message goes to.
    case name(Atom)

    init?(_ term: Term) {
        switch term {
        case .pid(let pid): self = .pid(pid)
        case .atom(let name): self = .name(name)
        case .integer, .bigInteger, .float, .binary, .bitstring, .tuple, .list, .improperList, .map,
            .port, .reference, .record, .fun, .export:
            return nil
        }
    }

    var term: Term {
        switch self {
        case .pid(let pid): .pid(pid)
        case .name(let name): .atom(name)
        }
    }
}

/// What connected nodes tell each other: one operation and its fields.
///
/// One case stands for several forms of an operation: the exit reason may be in the control message
/// or in its payload, and most operations may have a trace token (`…_TT`).
///
/// Source: "Protocol between Connected Nodes", erl_dist_protocol.
enum ControlMessage: Equatable, Sendable {
    /// SEND, SEND_SENDER: a message to a process. Only SEND_SENDER says who sent it.
    indirect case send(from: PID?, to: PID, message: Term, token: Term?)
    /// REG_SEND: a message to a registered name.
    indirect case registeredSend(from: PID, to: Atom, message: Term, token: Term?)
    /// ALIAS_SEND: a message to the process that gave out this reference as its alias.
    indirect case aliasSend(from: PID, to: Reference, message: Term, token: Term?)
    /// ALTACT_SIG_SEND of OTP 28: a message or exit signal with options.
    indirect case alternativeSend(
        options: AlternativeSendOptions, from: PID, to: Term, payload: Term, token: Term?)
    indirect case link(from: PID, to: PID)
    /// UNLINK of nodes before OTP 23.
    indirect case unlink(from: PID, to: PID)
    /// UNLINK_ID: answered with ``unlinkAcknowledgement(id:from:to:)``.
    indirect case unlinkID(id: UInt64, from: PID, to: PID)
    indirect case unlinkAcknowledgement(id: UInt64, from: PID, to: PID)
    /// EXIT, PAYLOAD_EXIT: a linked process has ended.
    indirect case exit(from: PID, to: PID, reason: Term, token: Term?)
    /// EXIT2, PAYLOAD_EXIT2: `exit(To, Reason)` was called.
    indirect case exitRequest(from: PID, to: PID, reason: Term, token: Term?)
    indirect case groupLeader(from: PID, to: PID)
    /// MONITOR_P.
    indirect case monitor(from: PID, to: ProcessIdentifier, reference: Reference)
    /// DEMONITOR_P.
    indirect case demonitor(from: PID, to: ProcessIdentifier, reference: Reference)
    /// MONITOR_P_EXIT, PAYLOAD_MONITOR_P_EXIT: a monitored process has ended.
    indirect case down(from: ProcessIdentifier, to: PID, reference: Reference, reason: Term)
    indirect case spawnRequest(SpawnRequest)
    indirect case spawnReply(SpawnReply)
    /// NODE_LINK, an operation without meaning between today's nodes.
    case nodeLink
}

/// SPAWN_REQUEST: start a process that runs `module:function` with these arguments.
struct SpawnRequest: Equatable, Sendable {
    var id: Reference
    var from: PID
    var groupLeader: PID
    var module: Atom
    var function: Atom
    var arguments: [Term]
    /// The options: `monitor`, `link`, and options for the process.
    var options: [Term]
    var token: Term?
}

/// SPAWN_REPLY: the process that was started, or why none was started.
struct SpawnReply: Equatable, Sendable {
    enum Result: Equatable, Sendable {
        case started(PID)
        case failed(Atom)
    }

    var id: Reference
    var to: PID
    var isLinked: Bool
    var isMonitored: Bool
    var result: Result
    var token: Term?
}

/// The options of ALTACT_SIG_SEND. Source: `DOP_ALTACT_SIG_FLG_…` in OTP 28's `dist.h`.
struct AlternativeSendOptions: OptionSet, Hashable, Sendable {
    let rawValue: UInt64
    static let priority = AlternativeSendOptions(rawValue: 1)
    static let token = AlternativeSendOptions(rawValue: 2)
    static let alias = AlternativeSendOptions(rawValue: 4)
    static let name = AlternativeSendOptions(rawValue: 8)
    static let exit = AlternativeSendOptions(rawValue: 16)
}

/// The operations' numbers. Source: the same chapter; `DOP_…` in OTP's `dist.h`.
enum ControlOperation: Int {
    case link = 1
    case send = 2
    case exit = 3
    case unlink = 4
    case nodeLink = 5
    case registeredSend = 6
    case groupLeader = 7
    case exitRequest = 8
    case sendTraced = 12
    case exitTraced = 13
    case registeredSendTraced = 16
    case exitRequestTraced = 18
    case monitor = 19
    case demonitor = 20
    case down = 21
    case sendSender = 22
    case sendSenderTraced = 23
    case payloadExit = 24
    case payloadExitTraced = 25
    case payloadExitRequest = 26
    case payloadExitRequestTraced = 27
    case payloadDown = 28
    case spawnRequest = 29
    case spawnRequestTraced = 30
    case spawnReply = 31
    case spawnReplyTraced = 32
    case aliasSend = 33
    case aliasSendTraced = 34
    case unlinkID = 35
    case unlinkAcknowledgement = 36
    case alternativeSend = 37
}
