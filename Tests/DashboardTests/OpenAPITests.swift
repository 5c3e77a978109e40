import Deployment
import ExternalTermFormat
import Foundation
import HTTP
import Supervisor
import Testing
import Transport

@testable import Dashboard

/// `docs/openapi.json` and the server have the same requests.
@Suite struct OpenAPITests {
    private struct Operation: Hashable, CustomStringConvertible {
        var method: String
        var path: String
        var access: String
        var description: String { "\(method) \(path) (\(access))" }
    }

    private static let file = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "docs/openapi.json")

    private static func document() throws -> [String: Any] {
        let data = try Data(contentsOf: file)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private static func described() throws -> Set<Operation> {
        let paths = try #require(document()["paths"] as? [String: [String: [String: Any]]])
        return Set(
            paths.flatMap { path, operations in
                operations.map { method, operation in
                    Operation(
                        method: method.uppercased(), path: path,
                        access: operation["x-access"] as? String ?? "nobody")
                }
            })
    }

    private static func served() throws -> Set<Operation> {
        let loop = try EventLoop.onOwnThread()
        var backends = Backends(deployments: EmptyBackend())
        backends.host = NoBackend()
        backends.nodes = NoBackend()
        backends.logs = NoBackend()
        backends.terminals = NoBackend()
        for child in Mirror(reflecting: backends).children {
            let value = Mirror(reflecting: child.value)
            let isThere = value.displayStyle != .optional || !value.children.isEmpty
            #expect(isThere, "\(child.label ?? "") needs a backend here")
        }
        let service = DashboardService(
            .init(), access: DashboardAccess(.init(), loop: loop), backends: backends, loop: loop)
        let pages = Set(Asset.paths() + PageArea.pages).map { "/\($0)" }
        return Set(
            service.routes.filter { !pages.contains($0.pattern) }.map { route in
                let segments = route.pattern.split(separator: "/").map { segment in
                    segment.hasPrefix(":") ? "{\(segment.dropFirst())}" : String(segment)
                }
                return Operation(
                    method: route.method, path: "/" + segments.joined(separator: "/"),
                    access: route.access.rawValue)
            })
    }

    @Test func `each request that is served is described, with who may ask, and no other one`()
        throws
    {
        let (described, served) = (try Self.described(), try Self.served())
        #expect(served.subtracting(described).map(\.description).sorted() == [])
        #expect(described.subtracting(served).map(\.description).sorted() == [])
        #expect(served.count > 25)
    }

    @Test func `no two requests have one name, and each parameter of a path is described`() throws {
        let document = try Self.document()
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        var names: Set<String> = []
        for (path, operations) in paths {
            for operation in operations.values {
                let name = try #require(operation["operationId"] as? String)
                #expect(names.insert(name).inserted, "\(name)")
                #expect((operation["summary"] as? String)?.isEmpty == false)
                let parameters = operation["parameters"] as? [[String: Any]] ?? []
                let described = parameters.compactMap { parameter -> String? in
                    if let reference = parameter["$ref"] as? String {
                        return reference.split(separator: "/").last.map(String.init)
                    }
                    return parameter["in"] as? String == "path"
                        ? parameter["name"] as? String : nil
                }
                let named = path.split(separator: "{").dropFirst().map {
                    String($0.prefix { $0 != "}" })
                }
                #expect(Set(described) == Set(named), "\(path)")
            }
        }
    }

    @Test func `every route of the API is for somebody, and what acts is for administrators`()
        throws
    {
        for operation in try Self.served() {
            switch (operation.method, operation.path) {
            case (_, "/health"), ("POST", "/api/v1/session"): #expect(operation.access == "open")
            case (_, "/metrics"): #expect(operation.access == "figures")
            case ("GET", _), (_, "/api/v1/session"), (_, "/api/v1/events/{stream}/topics"):
                #expect(operation.access == "viewer", "\(operation)")
            default:
                #expect(["administrator", "terminal"].contains(operation.access), "\(operation)")
            }
        }
    }
}

/// A backend that knows nothing: only the routes are asked for.
private struct NoBackend: HostBackend, NodeBackend, LogBackend, TerminalBackend {
    private static let refusal = DashboardRefusal(.notFound, "there is nothing")

    func logInventory() async throws(DashboardRefusal) -> [LogInventory] { [] }

    func logs(of target: LogTarget) async throws(DashboardRefusal) -> [LogSource] {
        throw Self.refusal
    }

    func watch(_ logs: [LogSource]) async -> WatchedLogs { fatalError("nobody asks") }

    func change(
        of logs: WatchedLogs, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) { throw Self.refusal }

    func open(
        _ instance: InstanceNumber, of application: String, size: TerminalSession.Size,
        onEvent: @escaping @Sendable (TerminalSession.Event) -> Void
    ) async throws(DashboardRefusal) -> any OpenedTerminal { throw Self.refusal }

    func host() async -> HostReport { fatalError("nobody asks") }

    func hostChange(
        after seen: Int, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) -> Int { throw Self.refusal }

    func instance(
        _ number: InstanceNumber, of application: String
    ) throws(DashboardRefusal) -> InstanceName { throw Self.refusal }

    func figures(of instances: [InstanceName]) async -> [InstanceName: NodeFigures] { [:] }

    func node(_ instance: InstanceName) async throws(DashboardRefusal) -> NodeReport {
        throw Self.refusal
    }

    func nodeChange(
        of instance: InstanceName, after seen: Int, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) -> Int { throw Self.refusal }

    func details(of instance: InstanceName) async throws(DashboardRefusal) -> Term {
        throw Self.refusal
    }

    func processes(
        of instance: InstanceName, by order: ProcessList.Order, limit: Int
    ) async throws(DashboardRefusal) -> ProcessList { throw Self.refusal }

    func process(
        _ pid: String, of instance: InstanceName, withState: Bool
    ) async throws(DashboardRefusal) -> ProcessDetails { throw Self.refusal }

    func tree(
        of application: String, in instance: InstanceName
    ) async throws(DashboardRefusal) -> SupervisionTree { throw Self.refusal }

    func tables(of instance: InstanceName) async throws(DashboardRefusal) -> TableList {
        throw Self.refusal
    }

    func applications(
        of instance: InstanceName
    ) async throws(DashboardRefusal) -> ApplicationList { throw Self.refusal }

    func crashDump(of instance: InstanceName) async throws(DashboardRefusal) -> CrashDumpFile {
        throw Self.refusal
    }
}
