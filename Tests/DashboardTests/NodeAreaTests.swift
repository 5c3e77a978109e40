import Deployment
import ExternalTermFormat
import HTTP
import Supervisor
import TestKit
import Testing
import Transport

@testable import Dashboard
@testable import Deployment

/// A host and one node.
private actor Backend: HostBackend, NodeBackend {
    private var hostRevision = 0
    private var nodeRevision = 0
    private(set) var asked: [String] = []
    var isConnected = true
    var history = NodeHistory()

    private var figures: NodeFigures? {
        let text = """
            {[{total,900},{system,700},{ets,100}], 3, 2, undefined, 1000, 1, {1, 2}, {{39,100},{3,50},{9,20}}, 1, 10}
            """
        return (try? Term(text: text)).flatMap {
            NodeSample(RemoteScript.Answer(value: $0, microseconds: 5))
        }.map { NodeFigures($0, at: 1000 + nodeRevision * 10) }
    }

    func host() -> HostReport {
        HostReport(
            name: "h", system: "Linux", processorCount: 2, figures: nil,
            deployex: .init(version: "1", node: "d@h", usesTLS: true, uptimeSeconds: 2, pid: 3))
    }

    func hostChange(after seen: Int, by observer: String, within limit: Duration) -> Int {
        hostRevision = max(hostRevision, seen) + 1
        return hostRevision
    }

    nonisolated func instance(
        _ number: InstanceNumber, of application: String
    ) throws(DashboardRefusal) -> InstanceName {
        guard application == "web", number.value <= 2 else {
            throw DashboardRefusal(.notFound, "no such instance")
        }
        return InstanceName(app: application, number: number)
    }

    func disconnect() { isConnected = false }

    private func require() throws(DashboardRefusal) {
        guard isConnected else { throw DashboardRefusal(.conflict, "not connected") }
    }

    func figures(of instances: [InstanceName]) -> [InstanceName: NodeFigures] {
        var found: [InstanceName: NodeFigures] = [:]
        for instance in instances { found[instance] = figures }
        return found
    }

    func node(_ instance: InstanceName) throws(DashboardRefusal) -> NodeReport {
        try require()
        guard let figures else { throw DashboardRefusal(.conflict, "no figures") }
        history.append(figures)
        return NodeReport(figures: figures, history: history)
    }

    func nodeChange(
        of instance: InstanceName, after seen: Int, by observer: String, within limit: Duration
    ) -> Int {
        nodeRevision = max(nodeRevision, seen) + 1
        return nodeRevision
    }

    func details(of instance: InstanceName) throws(DashboardRefusal) -> Term {
        try require()
        return .object([("otp_release", .binary("27"))])
    }

    private func answer(_ text: String) throws(DashboardRefusal) -> RemoteScript.Answer {
        asked.append(text)
        do throws(TextError) {
            return RemoteScript.Answer(value: try Term(text: text), microseconds: 1)
        } catch {
            throw DashboardRefusal(.conflict, "\(error)")
        }
    }

    func processes(
        of instance: InstanceName, by order: ProcessList.Order, limit: Int
    ) throws(DashboardRefusal) -> ProcessList {
        asked.append("\(order) \(limit)")
        guard let list = ProcessList(try answer("{0, []}")) else {
            throw DashboardRefusal(.conflict, "no list")
        }
        return list
    }

    func process(
        _ pid: String, of instance: InstanceName, withState: Bool
    ) throws(DashboardRefusal) -> ProcessDetails {
        asked.append("\(pid) \(withState)")
        throw DashboardRefusal(.notFound, "no process")
    }

    func tree(
        of application: String, in instance: InstanceName
    ) throws(DashboardRefusal) -> SupervisionTree {
        asked.append("tree \(application)")
        throw DashboardRefusal(.notFound, "no tree")
    }

    func tables(of instance: InstanceName) throws(DashboardRefusal) -> TableList {
        guard let list = TableList(try answer("{0, []}")) else {
            throw DashboardRefusal(.conflict, "no list")
        }
        return list
    }

    func applications(of instance: InstanceName) throws(DashboardRefusal) -> ApplicationList {
        guard
            let list = ApplicationList(
                try answer(#"{1, [{<<"<b>">>, <<"1">>, <<"d">>, true}]}"#))
        else { throw DashboardRefusal(.conflict, "no list") }
        return list
    }

    func crashDump(of instance: InstanceName) throws(DashboardRefusal) -> CrashDumpFile {
        throw DashboardRefusal(.notFound, "none")
    }
}

@Suite(.timeLimit(.minutes(1))) struct NodeAreaTests {
    private let backend = Backend()
    private let source: PeerSource
    private let peer: SocketAddress

    init() throws {
        peer = try #require(SocketAddress("127.0.0.1", port: 4000))
        source = PeerSource(peer)
    }

    private func ask(
        _ target: String, as role: Visitor.Role = .viewer
    ) async throws -> (status: Int, text: String) {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        let path = try #require(RequestPath(parts[0]))
        let routes = HostArea(backend).routes + NodeArea(backend).routes
        for route in routes { #expect(route.access == .viewer) }
        let router = Router(routes.map { .init($0.method, $0.pattern, $0) })
        guard case .found(let route, let parameters) = router.match(method: "GET", path: path)
        else { return (404, "no route") }
        let head = HTTPRequestHead(
            method: "GET", target: target, fields: [], host: "localhost")
        let request = RoutedRequest(
            HTTPServerRequest(head: head, content: [], peer: peer),
            of: Visitor(.token, role, from: source), parameters: parameters)
        do throws(DashboardRefusal) {
            let response = try await route.answer(request)
            guard case .bytes(let bytes) = response.content else { return (response.status, "") }
            return (response.status, String(decoding: bytes, as: UTF8.self))
        } catch {
            return (error.status, error.text)
        }
    }

    @Test func `each route answers`() async throws {
        let base = "/api/v1/apps/web/instances/1"
        #expect(try await ask("/api/v1/host").text.contains("\"os\": \"Linux\""))
        #expect(try await ask("\(base)/node").text.contains("\"total\": 900"))
        #expect(try await ask("\(base)/details").text.contains("\"27\""))
        #expect(try await ask("\(base)/processes?sort=queue&limit=7").status == 200)
        #expect(await backend.asked.contains("queue 7"))
        #expect(try await ask("\(base)/ets").status == 200)
        #expect(try await ask("\(base)/applications").text.contains("\"name\": \"<b>\""))
        #expect(try await ask("\(base)/crash-dump").status == 404)
        _ = try await ask("\(base)/tree?application=kernel")
        #expect(await backend.asked.contains("tree kernel"))
    }

    @Test func `what is not understood, or not there, is said to be`() async throws {
        let base = "/api/v1/apps/web/instances/1"
        for query in ["sort=age", "limit=0", "limit=201", "limit=x"] {
            #expect(try await ask("\(base)/processes?\(query)").status == 400)
        }
        #expect(try await ask("\(base)/tree").status == 400)
        #expect(try await ask("/api/v1/apps/web/instances/3/node").status == 404)
        #expect(try await ask("/api/v1/apps/web/instances/0/node").status == 404)
        #expect(try await ask("/api/v1/apps/other/instances/1/node").status == 404)
        await backend.disconnect()
        #expect(try await ask("\(base)/node").status == 409)
        #expect(try await ask("\(base)/details").status == 409)
    }

    @Test func `metrics of nodes have the names that boards for BEAMs know`() async throws {
        let instance = InstanceName(app: "web", number: 2)
        let text = Metrics.text(.empty, nodes: await backend.figures(of: [instance]))
        let labels = #"app="web",instance="2""#
        for line in [
            #"erlang_vm_memory_bytes_total{\#(labels),kind="system"} 700"#,
            #"erlang_vm_memory_system_bytes_total{\#(labels),usage="other"} 600"#,
            "erlang_vm_process_count{\(labels)} 39", "erlang_vm_process_limit{\(labels)} 100",
            "erlang_vm_port_limit{\(labels)} 50", "erlang_vm_atom_count{\(labels)} 9",
            "erlang_vm_statistics_run_queues_length{\(labels)} 3",
            "erlang_vm_statistics_reductions_total{\(labels)} 1000",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
        #expect(!Metrics.text(.empty).contains("erlang_vm"))
    }

    @Test func `the state of a process is for administrators`() async throws {
        let path = "/api/v1/apps/web/instances/1/processes/%3C0.1.0%3E"
        #expect(try await ask("\(path)?state=1").status == 403)
        #expect(await backend.asked.isEmpty)
        #expect(try await ask("\(path)?state=1", as: .administrator).status == 404)
        #expect(try await ask(path).status == 404)
        #expect(await backend.asked == ["<0.1.0> true", "<0.1.0> false"])
    }

    @Test func `a node's topic brings the history once, and then what is new of it`()
        async throws
    {
        let visitor = Visitor(.token, .viewer, from: source)
        let area = NodeArea(backend)
        #expect(try area.topic(["status"], for: visitor) == nil)
        #expect(try area.topic(["node", "web"], for: visitor) == nil)
        for name in [["node", "web", "3"], ["node", "web", "x"], ["node", "other", "1"]] {
            #expect(throws: DashboardRefusal.self) { try area.topic(name, for: visitor) }
        }
        let topic = try #require(try area.topic(["node", "web", "1"], for: visitor))
        let first = try await topic.next(after: nil)
        let second = try await topic.next(after: first.cursor)
        #expect(first.cursor != second.cursor)
        #expect(first.content.contains("[1010,"))
        #expect(second.content.contains("[1020,"))
        #expect(!second.content.contains("[1010,"))
        let whole = try await topic.next(after: nil)
        #expect(whole.content.contains("[1010,") && whole.content.contains("[1020,"))
        await backend.disconnect()
        #expect(try await topic.next(after: second.cursor).content == #"{"error":"not connected"}"#)
        let host = try #require(try HostArea(backend).topic(["host"], for: visitor))
        #expect(try await host.next(after: "3").cursor == "4")
    }
}
