internal import EPMD
internal import ErlDist
internal import ExternalTermFormat
internal import Transport

/// What the commands that talk to a node share: our own node, and the node to talk to.
struct CommandContext: Sendable {
    let node: Node
    let loop: EventLoop
    /// How long an answer may take.
    let timeout: Duration
    /// The cookie with which our node connects.
    let cookie: String
    /// The options file of our TLS, if there is one.
    let tlsOptionsFile: String?
    /// This process's environment, completed by what the deployex of this host has left.
    let environment: [String: String]
    /// The deployex of this host.
    let local: LocalDeployex
    /// The file with what the deployex of this host has left, if our node connects by it.
    let recordPath: String?
    /// Whether there is a cookie; otherwise our node has one that no other node has.
    private let hasCookie: Bool
    private let usesLongNames: Bool
    /// The name that the command was told to have; without it the other node gives it one.
    private let ownName: NodeName?
    private let host: HostName
    /// Records which users own the sockets on this host that our node has connected to.
    private let listenerOwners: ListenerOwners

    /// - Parameter needsCookie: whether it is an error that there is no cookie; otherwise it is one
    ///   only if the node turns out to run.
    init(
        _ invocation: Invocation, environment: [String: String], needsCookie: Bool,
        loop: EventLoop
    ) async throws(UsageError) {
        let local = try LocalDeployex.find(environment)
        let fileOwners = CommandTrust.fileOwners(base: local.base)
        let usable = local.usable(environment, owners: fileOwners)
        let environment = usable.completing(environment)
        let options = usable.completing(try invocation.distribution.merging(environment))
        let trust = try CommandTrust.listeners(environment, base: local.base)
        let host = await HostName.current(usesLongNames: options.usesLongNames, on: loop)
            .naming(usable.record, usesLongNames: options.usesLongNames)
        let ownHost = host.ownHost()
        // Not the name in ELIXIR_ERL_OPTIONS: that is the server's, which has the same environment.
        let ownName = try Self.ownName(invocation.distribution, of: host)
        let epmd = try EPMDAccess.client(
            environment, loop: loop, trust: trust, ownHost: ownHost)
        var configuration = Node.Configuration()
        // Our node waits only for the answer of one node.
        configuration.terms = .answers
        configuration.connectTimeout = invocation.answerTimeout
        let owners = ListenerOwners()
        var listeners = trust
        listeners.check = { sockets in
            owners.add(sockets)
            return nil
        }
        let (nodes, base) = (listeners, local.base)
        configuration.trust = { node in
            guard ownHost.isNamed(node.host) else { return nodes }
            var nodes = nodes
            if let user = await offload({
                CommandTrust.user(ofInstance: node.alive, base: base)
            }) {
                nodes.users = nodes.users.adding(user)
            }
            return nodes
        }
        listenerOwners = owners
        configuration.tls = try TLSAccess.load(
            options, environment: environment, owners: fileOwners
        ) { level, text in
            if level == .warning || level == .error { Output.error(text) }
        }
        let found = try Cookie.lookFor(
            options, environment: environment, owners: fileOwners,
            recorded: usable.record?.cookie)
        if found == nil, needsCookie { throw Cookie.missing }
        cookie = found ?? Cookie.random()
        hasCookie = found != nil
        tlsOptionsFile = options.usesTLS == true ? options.tlsOptionsFile : nil
        self.environment = environment
        self.local = local
        recordPath = usable.record.map { _ in NodeRecord.path(in: local.base) }
        self.loop = loop
        // The node is not registered with EPMD, as erl_call's is not: nobody connects to it, and a
        // name that is taken there would be in the way of a second command.
        let resolver = EPMDAccess.resolver(epmd)
        if let ownName {
            node = Node(
                name: ownName, cookie: cookie, loop: loop, configuration: configuration,
                resolver: resolver)
        } else {
            node = Node(
                dynamicOn: host.dynamicHost(options.usesLongNames), cookie: cookie, loop: loop,
                configuration: configuration, resolver: resolver)
        }
        timeout = invocation.answerTimeout
        usesLongNames = options.usesLongNames
        self.ownName = ownName
        self.host = host
    }

    private static func ownName(
        _ options: DistributionOptions, of host: HostName
    ) throws(UsageError) -> NodeName? {
        guard let text = options.name else { return nil }
        let name = try host.nodeName(text, usesLongNames: options.usesLongNames)
        guard name.port == nil else {
            throw UsageError("\(text): a command's own name has no port", nil)
        }
        return name
    }

    /// The user whose node on this host has answered; `nil` when the node is on another host. If
    /// several users are possible, it is one other than root.
    var answeringUser: UInt32? { listenerOwners.greatest }

    func name(_ text: String) throws(UsageError) -> NodeName {
        // A name with a full host or an address is a long one, whatever this host's own is.
        let isLong = (try? NodeName(text))?.isLong ?? false
        let name = try host.nodeName(text, usesLongNames: usesLongNames || isLong)
        guard name.atom != ownName?.atom else {
            throw UsageError(
                "\(name) is to be this command's own name: --sname and --name name the command's"
                    + " node, not the one it talks to", nil)
        }
        return name
    }

    func call(
        _ name: NodeName, _ module: Atom, _ function: Atom, _ arguments: [Term] = [],
        timeout: Duration? = nil, output: (@Sendable (String) -> Void)? = nil
    ) async throws(CommandFailure) -> Term {
        do throws(CallError) {
            return try await node.call(
                name, module, function, arguments, timeout: timeout ?? self.timeout, output: output)
        } catch {
            if case .wrongCookie = error, !hasCookie {
                throw CommandFailure(Cookie.missing.message, exitCode: ExitCode.usage)
            }
            throw CommandFailure(error, node: name)
        }
    }
}

/// Records the owners of the sockets that a command has connected to.
private final class ListenerOwners: Sendable {
    private let users = Guarded<Set<UInt32>>([])

    func add(_ sockets: Set<ListeningSocket>) {
        users.withLock { $0.formUnion(sockets.map(\.user)) }
    }

    var greatest: UInt32? { users.withLock { $0.max() } }
}

extension CommandFailure {
    /// What the other side answered instead of a result, in Erlang syntax.
    private init(term: Term) {
        self.init(term.erlangText(maximumByteCount: 4096))
    }

    init(_ error: CallError, node: NodeName) {
        switch error {
        case .unreachable(let text):
            self.init(unreachable: "\(node) cannot be reached: \(text)")
        case .wrongCookie:
            self.init(
                unreachable: "\(node) refuses the connection: the cookies differ; give the right "
                    + "one with --cookie or DEPLOYEX_ERLANG_COOKIE")
        case .refused(let text):
            let remedy =
                text.hasSuffix("\(HandshakeError.givesNoName)")
                ? "; --sname or --name gives it one" : ""
            self.init(unreachable: "\(node) refuses the connection: \(text)\(remedy)")
        case .limit:
            self.init("\(node): \(error)")
        case .connectionLost(let reason):
            self.init(unreachable: "the connection to \(node) was lost: \(reason)")
        case .timedOut:
            self.init(unreachable: "\(node) did not answer in time: --timeout gives it longer")
        case .cancelled:
            self.init(unreachable: "the call of \(node) was cancelled")
        case .exception(class: .error, let reason, let stack):
            self.init(term: .tuple([.atom("EXIT"), .tuple([reason, stack])]))
        case .exception(class: .exit, let reason, _):
            self.init(term: .tuple([.atom("EXIT"), reason]))
        case .exception(class: .throw, let reason, _):
            self.init(term: .tuple([.atom("throw"), reason]))
        case .badRPC(let reason):
            self.init(term: .tuple([.atom("badrpc"), reason]))
        }
    }
}
