internal import Deployment
internal import EPMD
internal import ExternalTermFormat
internal import Supervisor

extension Verb {
    static let describing = [
        Verb(
            name: "describe", forms: ["describe INSTANCE [--app APPLICATION]"],
            summary: "say everything about one instance",
            details: """
                INSTANCE is a number, or a name such as counter-2. It says its state and its restarts, its
                process, node and port, where its release and its logs are, its last deployments, and
                the line by which the release's own `bin/APP remote` works by hand.
                """,
            argumentCount: 1...1, peer: .deployex, concernsApplication: true,
            askedWords: .instances
        ) { (arguments) throws(UsageError) in
            DescribeInstance(instance: try arguments.instance())
        }
    ]
}

/// `deployex describe INSTANCE`
struct DescribeInstance: Command {
    /// `2` or `counter-2`.
    let instance: String

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        let arguments = [setting.invocation.application, instance].compactMap { $0?.term }
        let answer = try await client.call("instance", arguments)
        guard let application = answer["application"]?.asText,
            let number = answer["instance"]?.asInteger
        else { throw client.strangeAnswer }
        let status = try await client.status(of: application)
        let versions = VersionsReport(
            reading: try await client.call("versions", [application.term]))
        let cookie = RemoteByHand.Cookie(
            try setting.invocation.distribution.merging(setting.environment),
            setting.environment, record: client.isLocal ? client.context.recordPath : nil)
        let description = InstanceDescription(
            application: application, number: number, details: answer,
            state: status.applications.first?.instances.first { $0.number == number },
            history: versions.applications.first?.history ?? [], cookie: cookie,
            epmdPort: client.context.environment["ERL_EPMD_PORT"], within: TextColumns.available)
        for line in description.lines { Output.line(line) }
        return .done
    }
}

/// Everything about one instance, for people.
struct InstanceDescription {
    private(set) var lines: [StyledLine] = []
    private let columns: Int?

    /// How many of its last deployments are shown.
    private static let shownDeployments = 5
    private static let labelWidth = 12

    /// - Parameters:
    ///   - details: the answer of `deployex:instance(I)`.
    ///   - history: all deployments of the application.
    ///   - epmdPort: `ERL_EPMD_PORT`, as the command has found it.
    init(
        application: String, number: Int, details: Term, state: StatusReport.Instance?,
        history: [VersionsReport.Outcome], cookie: RemoteByHand.Cookie, epmdPort: String? = nil,
        within columns: Int?
    ) {
        self.columns = columns
        lines.append(StyledLine("\(application)-\(number)"))
        if let state { add(state) }
        let node = details["node"]?.asText
        add("node", [node, connection(state?.otp)].compactMap { $0 }.joined(separator: ", "))
        add("port", details["port"]?.asInteger.map { "\($0)" })
        add("user", details["user"]?.asInteger.map { "uid \($0)" })
        add("release", details["folder"]?.asText)
        let deleted = (details["deleted_libraries"]?.asList ?? []).compactMap(\.asText)
        if !deleted.isEmpty {
            add(
                "libraries",
                "\(deleted.joined(separator: ", ")): replaced or removed since its start; a restart "
                    + "takes the newer ones")
        }
        add("stdout", details["stdout"]?.asText)
        add("stderr", details["stderr"]?.asText)
        let own = history.filter { $0.instance == number }.suffix(Self.shownDeployments)
        if !own.isEmpty {
            lines += ["", "last deployments, the newest first"]
            lines += VersionsTable.history(Array(own), within: columns)
        }
        let byHand = RemoteByHand(details, cookie: cookie, epmdPort: epmdPort)
        if let byHand {
            lines += ["", "its remote shell, by hand"]
            // A line to be copied is not folded.
            lines.append(StyledLine("  " + byHand.line))
            for note in byHand.notes { fold("  (\(note))") }
        }
    }

    private mutating func add(_ state: StatusReport.Instance) {
        let isStopped = state.isStoppedByOperator == true
        add("status", (state.status ?? "-") + (isStopped ? ", stopped by an operator" : ""))
        add("reason", state.reason)
        let before = state.previousVersion.map { ", before it \($0)" } ?? ""
        let kind =
            switch state.lastDeployment {
            case "full_deployment"?: " by a full deployment"
            case "hot_upgrade"?: " by a hot upgrade"
            case let other: other.map { " by \($0)" } ?? ""
            }
        add("version", (state.version ?? "none") + (state.version == nil ? "" : kind) + before)
        let uptime = state.uptimeSeconds.map { ", up \(StatusTable.duration($0))" } ?? ""
        add("process", state.pid.map { "\($0)\(uptime)" } ?? "none")
        add(
            "restarts",
            "\(state.crashRestarts ?? 0) after crashes, \(state.forcedRestarts ?? 0) by deployex or "
                + "an operator")
    }

    private func connection(_ otp: String?) -> String? {
        switch otp {
        case "connected"?: "connected"
        case "not_connected"?: "not connected"
        case "off"?: "without distribution"
        case let other: other
        }
    }

    private mutating func add(_ label: String, _ text: String?) {
        guard let text, !text.isEmpty else { return }
        let space = String(repeating: " ", count: Self.labelWidth - label.count)
        fold("  \(label)\(space)\(text)", indent: 2 + Self.labelWidth)
    }

    private mutating func fold(_ text: String, indent: Int = 4) {
        lines += TextColumns.fold(StyledLine(text).text, to: columns, indent: indent)
            .map { StyledLine($0) }
    }
}

/// How to open an instance's shell without deployex, by the script of its release.
struct RemoteByHand: Equatable {
    /// Where the cookie is. It is never shown itself.
    enum Cookie: Equatable {
        case argument
        case variable(String)
        case file(String)
        /// What the last `deployex start` has left: see ``NodeRecord``.
        case record(String)

        /// The place where a command finds it: see ``deployex/Cookie``.
        /// - Parameter record: the path of what the last start has left, if it has left something.
        init(
            _ options: DistributionOptions, _ environment: [String: String], record: String?
        ) {
            if options.cookie?.isEmpty == false {
                self = .argument
            } else if environment["DEPLOYEX_ERLANG_COOKIE"]?.isEmpty == false {
                self = .variable("DEPLOYEX_ERLANG_COOKIE")
            } else if let file = environment["DEPLOYEX_COOKIE_FILE"], !file.isEmpty {
                self = .file(file)
            } else {
                self = record.map { .record($0) } ?? .file("~/.erlang.cookie")
            }
        }

        /// A record is one line of JSON, in which a slash is escaped.
        private static let ofRecord = #"sed 's/.*"cookie":"\([^"]*\)".*/\1/;s,\\/,/,g'"#

        /// How a shell writes it.
        var text: String {
            switch self {
            case .argument: "COOKIE"
            case .variable(let name): "\"$\(name)\""
            case .file(let path): "\"$(cat \(RemoteByHand.quoted(path)))\""
            case .record(let path): "\"$(\(Self.ofRecord) \(RemoteByHand.quoted(path)))\""
            }
        }
    }

    /// For a shell, in one line.
    let line: String
    let notes: [String]

    /// - Parameter details: the answer of `deployex:instance(I)`.
    /// - Returns: `nil` if it does not say where the release is.
    init?(_ details: Term, cookie: Cookie, epmdPort: String? = nil) {
        guard let program = details["program"]?.asText, let node = details["node"]?.asText
        else { return nil }
        let given: [String: String] = (try? details["environment"]?.converted()) ?? [:]
        let configured = Set((details["variables"]?.asList ?? []).compactMap(\.asText))
        var notes: [String] = []
        var words: [String] = []
        if let epmdPort, !epmdPort.isEmpty, epmdPort != "\(EPMDEnvironment.defaultPort)" {
            words.append("ERL_EPMD_PORT=\(Self.quoted(epmdPort))")
        }
        // A release's own env.sh makes the node's name of the suffix.
        if let suffix = given["RELEASE_NODE_SUFFIX"] {
            words.append("RELEASE_NODE_SUFFIX=\(Self.quoted(suffix))")
        }
        let isLong = node.split(separator: "@").last?.contains(".") == true
        let distribution = given["RELEASE_DISTRIBUTION"] ?? (isLong ? "name" : "sname")
        words.append("RELEASE_NODE=\(Self.quoted(node))")
        words.append("RELEASE_DISTRIBUTION=\(Self.quoted(distribution))")
        if configured.contains("RELEASE_COOKIE") {
            words.append("RELEASE_COOKIE=COOKIE")
            notes.append("COOKIE is the RELEASE_COOKIE of the configuration")
        } else {
            words.append("RELEASE_COOKIE=\(cookie.text)")
            if cookie == .argument { notes.append("COOKIE is what --cookie says") }
        }
        let others = configured.subtracting(["RELEASE_COOKIE"]).sorted()
        if !others.isEmpty {
            notes.append("the configuration also sets \(others.joined(separator: ", "))")
        }
        words += [Self.quoted(program), "remote"]
        line = words.joined(separator: " ")
        self.notes = notes
    }

    /// The text as one word of a shell.
    fileprivate static func quoted(_ text: String) -> String {
        let isPlain = text.isMadeOfLettersDigits(and: "_-./@:+,=~") && !text.isEmpty
        return isPlain
            ? text
            : "'"
                + text.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "'\\''") + "'"
    }
}
