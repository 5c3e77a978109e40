import HTTP
import TestKit

/// Answers as deployex would, from the files in `Fixtures`, with whatever the applications may have
/// called themselves.
actor InventedDeployex {
    static let password = "a long password"
    static let token = "0123456789abcdef0123456789abcdef"

    /// What was asked for, beside what pages only show.
    private(set) var requests: [String] = []
    /// What the streams tell next: the name of an event, and the fixture with its data.
    private var streams: [Int: StreamState] = [:]
    private var nextStream = 0
    private var isStopped = false
    private var role: String
    private var refusesStreams = false
    /// How often a stream was opened.
    private(set) var streamCount = 0

    private struct StreamState {
        var topics: Set<String> = ["status"]
        var told: Set<String> = []
        var isCut = false
    }

    init(role: String = "administrator") {
        self.role = role
    }

    func stop() {
        isStopped = true
    }

    /// Ends all streams, and refuses new ones until ``accept()``.
    func cut() {
        refusesStreams = true
        for key in streams.keys { streams[key]?.isCut = true }
    }

    func accept() {
        refusesStreams = false
    }

    var openStreams: Int { streams.count }

    func answer(_ request: HTTPServerRequest, _ path: String) -> HTTPServerResponse {
        let given = request.field("x-deployex-token")
        if path == "session" { return session(request, given) }
        guard given == Self.token else { return json(401, #"{"error":"log in"}"#) }
        if request.method != "GET" { requests.append("\(request.method) \(path)") }
        switch path {
        case "events": return events()
        case _ where path.hasPrefix("events/"): return replaceTopics(request, path)
        case "status", "versions", "host": return fixture(path)
        case "logs", "logs/search", "logs/sources": return fixture(path.replacing("/", with: "-"))
        case _ where path.hasSuffix("/rollback"):
            return json(409, #"{"error":"there is no version to go back to <b>"}"#)
        case _ where path.hasPrefix("apps/") && request.method == "POST":
            return json(202, #"{"text":"it is being done"}"#)
        case _ where path.hasPrefix("apps/"):
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            return fixture(path.contains("/processes/") ? "process" : name)
        default: return json(404, #"{"error":"there is nothing here"}"#)
        }
    }

    private func session(_ request: HTTPServerRequest, _ given: String?) -> HTTPServerResponse {
        let description = #""role":"\#(role)","terminal":true"#
        switch request.method {
        case "POST":
            let content = String(decoding: request.content, as: UTF8.self)
            guard content.contains(Self.password) || content.contains("\"a-link\"") else {
                return json(401, #"{"error":"the password is wrong"}"#)
            }
            return json(200, #"{"token":"\#(Self.token)",\#(description)}"#)
        case "DELETE":
            requests.append("DELETE session")
            return HTTPServerResponse(204)
        default:
            guard given == Self.token else {
                return json(401, #"{"error":"log in","methods":["password","link"]}"#)
            }
            return json(200, "{\(description),\"methods\":[\"password\",\"link\"],\"login\":true}")
        }
    }

    private func fixture(_ name: String) -> HTTPServerResponse {
        let text = Self.fixture(name)
        return text.isEmpty ? json(404, #"{"error":"there is none"}"#) : json(200, text)
    }

    static func fixture(_ name: String) -> String {
        Files.text("\(BuiltProgram.root)/Tests/BrowserTests/Fixtures/\(name).json")
    }

    private func json(_ status: Int, _ text: String) -> HTTPServerResponse {
        HTTPServerResponse(
            status,
            fields: [
                HTTPField("Content-Type", "application/json"),
                HTTPField("Cache-Control", "no-store"),
            ],
            content: .bytes(Array(text.utf8)))
    }

    // MARK: Events

    private func replaceTopics(_ request: HTTPServerRequest, _ path: String) -> HTTPServerResponse {
        let parts = path.split(separator: "/")
        guard parts.count == 3, let key = Int(parts[1]), streams[key] != nil else {
            return json(404, #"{"error":"there is no such stream"}"#)
        }
        let content = String(decoding: request.content, as: UTF8.self)
        let known = ["status", "versions", "host", "node/counter/1", "log/counter/1/both"]
        let topics = Set(known.filter { content.contains("\"\($0)\"") })
        streams[key]?.topics = topics
        // A topic that comes back is told anew.
        streams[key]?.told.formIntersection(topics)
        return HTTPServerResponse(204)
    }

    private func events() -> HTTPServerResponse {
        guard !refusesStreams else { return json(503, #"{"error":"not now"}"#) }
        nextStream += 1
        streamCount += 1
        let key = nextStream
        streams[key] = StreamState()
        return HTTPServerResponse(
            200, fields: [HTTPField("Content-Type", "text/event-stream")],
            content: .stream { [self] writer in await serve(key, writer) })
    }

    private func serve(_ key: Int, _ writer: HTTPContentWriter) async {
        var isOpen = await writer.write(Self.event("stream", #"{"stream":"\#(key)"}"#))
        var turn = 0
        while isOpen, !isStopped, let state = streams[key], !state.isCut {
            for topic in state.topics.subtracting(state.told).sorted() {
                streams[key]?.told.insert(topic)
                let kind = String(topic.split(separator: "/")[0])
                let rest = Self.fixture(kind == "log" ? "log-event" : kind).dropFirst()
                isOpen = await writer.write(
                    Self.event(kind, "{\"topic\":\"\(topic)\",\"cursor\":\"7\",\(rest)"))
            }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { break }
            turn += 1
            // As a real one says from time to time that it is there.
            if turn.isMultiple(of: 250) { isOpen = await writer.write(Array(":\n\n".utf8)) }
        }
        streams[key] = nil
    }

    private static func event(_ name: String, _ data: String) -> [UInt8] {
        let lines = data.split(separator: "\n").map { "data: \($0)\n" }.joined()
        return Array("event: \(name)\n\(lines)\n".utf8)
    }
}
