internal import Deployment
internal import ExternalTermFormat
internal import HTTP
internal import Supervisor
internal import Transport

/// The nodes: `…/node`, `…/details`, what is below them, and the topic `node/APP/I`.
package struct NodeArea: DashboardArea {
    private let backend: any NodeBackend

    package init(_ backend: any NodeBackend) {
        self.backend = backend
    }

    package var routes: [Route] {
        [
            route("node") { (instance, _) throws(DashboardRefusal) in
                try await backend.node(instance).term(after: nil)
            },
            route("details") { (instance, _) throws(DashboardRefusal) in
                try await backend.details(of: instance)
            },
            route("processes") { (instance, request) throws(DashboardRefusal) in
                let query = try request.query()
                return try await backend.processes(
                    of: instance, by: try Self.order(query), limit: try Self.limit(query)
                ).term
            },
            route("processes/:pid") { (instance, request) throws(DashboardRefusal) in
                let withState = try request.query()["state"] == "1"
                guard !withState || request.visitor.role == .administrator else {
                    throw DashboardRefusal(
                        .forbidden, "only an administrator may see the state of a process")
                }
                return try await backend.process(
                    request["pid"], of: instance, withState: withState
                ).term
            },
            route("tree") { (instance, request) throws(DashboardRefusal) in
                guard let application = try request.query()["application"] else {
                    throw DashboardRefusal(.malformed, "name an application: ?application=NAME")
                }
                return try await backend.tree(of: application, in: instance).term
            },
            route("ets") { (instance, _) throws(DashboardRefusal) in
                try await backend.tables(of: instance).term
            },
            route("applications") { (instance, _) throws(DashboardRefusal) in
                var object = TermObject()
                object.add("applications", try await backend.applications(of: instance).term)
                return object.term
            },
            route("crash-dump") { (instance, _) throws(DashboardRefusal) in
                try await backend.crashDump(of: instance).term
            },
        ]
    }

    private func route(
        _ path: String,
        _ answer:
            @escaping @Sendable (InstanceName, RoutedRequest) async throws(DashboardRefusal) -> Term
    ) -> Route {
        Route("GET", "/api/v1/apps/:app/instances/:instance/\(path)", .viewer) {
            (request) throws(DashboardRefusal) in
            let instance = try backend.instance(try request.instance(), of: request["app"])
            let term = try await answer(instance, request)
            // A hundred kilobytes and more: not on the loop.
            return await offload { .json(200, term) }
        }
    }

    private static func order(
        _ query: FormFields
    ) throws(DashboardRefusal) -> ProcessList.Order {
        guard let text = query["sort"] else { return .memory }
        guard let order = ProcessList.Order(rawValue: text) else {
            throw DashboardRefusal(
                .malformed, "processes are sorted by memory, queue or reductions")
        }
        return order
    }

    private static func limit(_ query: FormFields) throws(DashboardRefusal) -> Int {
        guard let text = query["limit"] else { return 50 }
        guard let limit = Int(text), (1...ProcessList.limit).contains(limit) else {
            throw DashboardRefusal(
                .malformed, "the limit is a whole number from 1 to \(ProcessList.limit)")
        }
        return limit
    }

    package func topic(
        _ name: [String], for visitor: Visitor
    ) throws(DashboardRefusal) -> (any EventTopicSource)? {
        guard name.count == 3, name[0] == "node" else { return nil }
        guard let number = Int(name[2]), let instance = InstanceNumber(rawValue: number) else {
            throw DashboardRefusal(.notFound, "there is no instance of this number")
        }
        return NodeTopic(backend: backend, instance: try backend.instance(instance, of: name[1]))
    }
}

/// The topic `node/APP/I`: every two seconds.
private struct NodeTopic: EventTopicSource {
    let kind = "node"
    let backend: any NodeBackend
    let instance: InstanceName
    /// Each waits on its own.
    private let observer = ObservationFeed.pagePrefix + RandomToken.hexadecimal(byteCount: 8)

    init(backend: any NodeBackend, instance: InstanceName) {
        self.backend = backend
        self.instance = instance
    }

    /// The cursor is a revision and the time of the figures. What comes after a cursor brings only
    /// the part of the history that is later.
    func next(after cursor: String?) async throws(DashboardRefusal) -> TopicNews {
        let parts = (cursor ?? "").split(separator: ".").compactMap { Int($0) }
        let (seen, time) = parts.count == 2 ? (parts[0], parts[1]) : (-1, nil)
        var revision: Int
        repeat {
            revision = try await backend.nodeChange(
                of: instance, after: seen, by: observer, within: .seconds(60))
        } while revision == seen && !Task.isCancelled
        do throws(DashboardRefusal) {
            let report = try await backend.node(instance)
            return TopicNews(
                cursor: "\(revision).\(report.figures.seconds)", report.term(after: time))
        } catch  where error.kind == .conflict {
            // It may be back later.
            return TopicNews(
                cursor: "\(revision).\(time ?? 0)", .object([("error", .binary(error.text))]))
        }
    }
}

extension NodeReport {
    fileprivate func term(after seconds: Int?) -> Term {
        figures.term(history.points(after: seconds))
    }
}

extension CrashDumpFile {
    fileprivate var term: Term {
        var object = TermObject()
        object.add("at", seconds)
        object.add("bytes", byteCount)
        let file = object.term.asMap?.pairs ?? []
        return .map(TermMap(file + (dump?.term.asMap?.pairs ?? [])))
    }
}
