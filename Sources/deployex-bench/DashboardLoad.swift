internal import Glibc
internal import TestKit
internal import Transport

/// The dashboard of a deployex that has all it may have at once: event streams, terminals, and
/// clients that ask without a pause. What counts is that its event loop has time for the rest.
enum DashboardLoad {
    private static let streamCount = 200
    private static let terminalCount = 20
    private static let streamsOfSession = 16
    private static let terminalsOfSession = 4
    private static let clientCount = 4

    static func measure(_ peers: Peers) async throws -> [Row] {
        let site = try await DashboardSite(on: peers.loop)
        do {
            let rows = try await measure(site, peers)
            await site.end()
            return rows
        } catch {
            let log = Files.text(site.logPath).split(separator: "\n").suffix(400)
            await site.end()
            throw TestFailure("\(error)\ndeployex's log ends with:\n\(log.joined(separator: "\n"))")
        }
    }

    /// What `first-paint` prints; `nil` where there is no Chromium, or that was not built.
    @concurrent private static func firstPaints(of url: String) async throws -> [Double]? {
        let program = BuiltProgram.beside("first-paint")
        guard (try? ThisHost.find("chromedriver")) != nil, access(program, X_OK) == 0 else {
            return nil
        }
        return try ChildProcess.run(program, [url], errors: .inherited, within: .seconds(300))
            .split(separator: "\n").compactMap { Double($0) }
    }

    private static func measure(_ site: DashboardSite, _ peers: Peers) async throws -> [Row] {
        let paints = try await firstPaints(of: site.url)
        var sessions: [DashboardSite.Session] = []
        while sessions.count * streamsOfSession < streamCount {
            sessions.append(try await site.logIn())
        }
        var terminals: [(session: DashboardSite.Session, id: String)] = []
        for number in 0..<terminalCount {
            let session = sessions[number / terminalsOfSession]
            terminals.append((session, try await site.openTerminal(of: session)))
        }
        var streams: [StreamReader] = []
        for number in 0..<streamCount {
            let session = sessions[number / streamsOfSession]
            // Each of the first sessions follows its terminals.
            let place = number % streamsOfSession
            let terminal = number / streamsOfSession * terminalsOfSession + place
            let topics =
                place < terminalsOfSession && terminal < terminals.count
                ? "terminal/\(terminals[terminal].id)" : "status,host,node/counter/1"
            streams.append(
                try await StreamReader.open(
                    site.request("GET", "/api/v1/events?topics=\(topics)", of: session),
                    at: site.address, on: peers.loop))
        }
        for stream in streams {
            try await eventually("an event") { await stream.eventCount > 1 }
        }
        let load = RequestLoad(site, sessions[0], on: peers.loop)
        let typing = Task {
            while !Task.isCancelled {
                for terminal in terminals where !Task.isCancelled {
                    try? await site.type("1 + 1\n", into: terminal.id, of: terminal.session)
                }
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
        let before = try await site.figures()
        let seconds = peers.effort.dashboardSeconds
        let start = MonotonicTime.now
        async let counted = load.run(clients: clientCount, for: .seconds(seconds))
        let latencies = try await site.latencies(for: .seconds(seconds))
        let requestCount = try await counted
        let time = (MonotonicTime.now - start).inSeconds
        typing.cancel()
        _ = await typing.value
        let after = try await site.figures()
        for stream in streams { await stream.close() }
        func row(_ measure: String, _ unit: String, _ value: Double, _ target: Row.Target?) -> Row {
            Row(
                measure: "dashboard, " + measure, unit: unit, peer: "",
                series: Series(ours: [value], peer: []), target: target)
        }
        let paint = paints.map { paints in
            Row(
                measure: "dashboard, first paint on loopback", unit: "ms", peer: "",
                series: Series(ours: paints, peer: []), target: .oursBelow(100))
        }
        return (paint.map { [$0] } ?? []) + [
            row(
                "99 % of the loop's turns within", "ms", after.turns(since: before) * 1000,
                .oursBelow(5)),
            row("memory", "MB", after.residentByteCount / 1e6, .oursBelow(40)),
            row("/health beside it, median", "ms", Samples(latencies).median * 1000, nil),
            row("/health beside it, 99 %", "ms", Samples(latencies).quantile(0.99) * 1000, nil),
            row("requests meanwhile", "1/s", Double(requestCount) / time, nil),
        ]
    }
}

/// What `/metrics` says of deployex.
struct DashboardFigures {
    var residentByteCount = 0.0
    /// The bounds of the loop's turns in seconds, and how many took no longer.
    var buckets: [(bound: Double, count: Double)] = []

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            guard let space = line.lastIndex(of: " "),
                let value = Double(line[space...].dropFirst())
            else { continue }
            if line.hasPrefix("process_resident_memory_bytes ") { residentByteCount = value }
            if line.hasPrefix("deployex_event_loop_turn_seconds_bucket{") {
                let bound = line.split(separator: "\"").dropFirst().first ?? ""
                buckets.append((Double(bound) ?? .infinity, value))
            }
        }
    }

    /// The bound within which 99 % of the turns since `earlier` were.
    func turns(since earlier: DashboardFigures) -> Double {
        let counts = zip(buckets, earlier.buckets).map { ($0.bound, $0.count - $1.count) }
        let all = counts.last?.1 ?? 0
        return counts.first { $0.1 >= 0.99 * all }?.0 ?? .infinity
    }
}

/// A deployex with one instance and a dashboard.
struct DashboardSite: Sendable {
    struct Session: Sendable {
        var cookie: String
        var token: String
    }

    let address: SocketAddress
    private let loop: EventLoop
    private let site: DeployexSite
    private let port: Int
    private let deployex: String
    private let epmd: ChildProcess
    private let process: ChildProcess
    private let environment: [String: String]

    init(on loop: EventLoop) async throws {
        self.loop = loop
        deployex = BuiltProgram.beside("deployex")
        guard access(deployex, X_OK) == 0 else {
            throw TestFailure("\(deployex) is missing: `make build` makes it")
        }
        guard let packages = ThisHost.environment["DEPLOYEX_EXAMPLE_PACKAGES"] else {
            throw TestFailure("DEPLOYEX_EXAMPLE_PACKAGES is not set: `make bench` sets it")
        }
        site = try DeployexSite("bench", instances: 1, extraPorts: 1)
        port = site.firstPort + 2
        address = .loopback(port: UInt16(port))
        environment = site.environment.merging(site.application(replicas: 1)) { $1 }.merging([
            "DEPLOYEX_PHX_SERVER": "true", "DEPLOYEX_PHX_PORT": "\(port)",
        ]) { $1 }
        epmd = try ChildProcess(
            deployex, ["epmd"], environment: environment, output: .file(site.folder + "/epmd.log"))
        try site.place("0.1.0", from: packages)
        try site.publish("0.1.0")
        process = try ChildProcess(
            deployex, ["start"], environment: environment, output: .file(site.logPath))
        let target = "http://127.0.0.1:\(port)/health"
        try await eventually("the instance") { [process] in
            guard !process.hasEnded else { throw TestFailure("deployex has ended") }
            return (try? await Self.curl(["-f", target])) != nil
        }
    }

    var logPath: String { site.logPath }
    var url: String { "http://localhost:\(port)/" }

    func end() async {
        process.kill()
        epmd.kill()
        await offload { [folder = site.folder] in DeployexSite.remove(folder) }
    }

    @concurrent private static func curl(_ arguments: [String]) async throws -> String {
        try ChildProcess.run(
            "curl", ["-sS", "--noproxy", "*", "--max-time", "20"] + arguments, errors: .null)
    }

    func figures() async throws -> DashboardFigures {
        DashboardFigures(try await Self.curl(["http://127.0.0.1:\(port)/metrics"]))
    }

    func logIn() async throws -> Session {
        let link = try await offload { [deployex, environment] in
            try ChildProcess.run(deployex, ["login-link"], environment: environment)
        }
        guard let secret = link.split(separator: "?").last?.prefix(while: \.isHexDigit) else {
            throw TestFailure("there is no link in \(link)")
        }
        let answer = try await Self.curl([
            "-i", "-d", "{\"link\": \"\(secret)\"}", "-H", "Origin: http://127.0.0.1:\(port)",
            "http://127.0.0.1:\(port)/api/v1/session",
        ])
        guard let cookie = answer.firstMatch(of: #/(?i)set-cookie: ([^;\r]*)/#),
            let token = answer.firstMatch(of: #/"token": *"([0-9a-f]*)"/#)
        else { throw TestFailure("the login failed: \(answer)") }
        return Session(cookie: String(cookie.1), token: String(token.1))
    }

    /// A request on a connection that stays.
    func request(
        _ method: String, _ target: String, of session: Session, _ content: String = ""
    ) -> String {
        """
        \(method) \(target) HTTP/1.1\r
        Host: 127.0.0.1:\(port)\r
        Origin: http://127.0.0.1:\(port)\r
        Cookie: \(session.cookie)\r
        X-Deployex-Token: \(session.token)\r
        Content-Length: \(content.utf8.count)\r
        \r
        \(content)
        """
    }

    private func ask(
        _ method: String, _ path: String, _ content: String, of session: Session
    ) async throws -> String {
        try await Self.curl([
            "-f", "-X", method, "-d", content, "-H", "Origin: http://127.0.0.1:\(port)", "-H",
            "Cookie: \(session.cookie)", "-H", "X-Deployex-Token: \(session.token)",
            "http://127.0.0.1:\(port)/api/v1/\(path)",
        ])
    }

    func openTerminal(of session: Session) async throws -> String {
        let answer = try await ask(
            "POST", "apps/counter/instances/1/terminals", #"{"columns": 90, "rows": 20}"#,
            of: session)
        guard let id = answer.firstMatch(of: #/[0-9a-f]{32}/#) else {
            throw TestFailure("no terminal was opened: \(answer)")
        }
        return String(id.output)
    }

    func type(_ text: String, into terminal: String, of session: Session) async throws {
        _ = try await ask("POST", "terminals/\(terminal)/input", text, of: session)
    }

    /// How long `/health` takes, in seconds, asked a hundred times a second.
    func latencies(for time: Duration) async throws -> [Double] {
        let connection = try await KeptConnection.open(to: address, on: loop)
        let request = "GET /health HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n"
        var latencies: [Double] = []
        let end = MonotonicTime.now + time
        while MonotonicTime.now < end {
            let start = MonotonicTime.now
            try await connection.ask(request)
            latencies.append((MonotonicTime.now - start).inSeconds)
            await loop.sleep(for: .milliseconds(10))
        }
        await connection.close()
        return latencies
    }
}

/// Clients that ask again as soon as they have an answer.
struct RequestLoad: Sendable {
    private let site: DashboardSite
    private let requests: [String]
    private let loop: EventLoop

    init(_ site: DashboardSite, _ session: DashboardSite.Session, on loop: EventLoop) {
        self.site = site
        self.loop = loop
        requests = ["/api/v1/status", "/api/v1/versions", "/", "/api/v1/host"].map {
            site.request("GET", $0, of: session)
        }
    }

    /// How many answers there were.
    func run(clients: Int, for time: Duration) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<clients {
                group.addTask {
                    let connection = try await KeptConnection.open(to: site.address, on: loop)
                    let end = MonotonicTime.now + time
                    var count = 0
                    while MonotonicTime.now < end {
                        try await connection.ask(requests[count % requests.count])
                        count += 1
                    }
                    await connection.close()
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
    }
}
