internal import Deployment
internal import ExternalTermFormat
internal import HTTP
internal import Supervisor
internal import Transport

/// The logs: pages, searches, downloads, and the topics `log/…`.
struct LogArea: DashboardArea {
    private let answers: LogAnswers
    private let backend: any LogBackend

    init(_ backend: any LogBackend, loop: EventLoop, limits: LogAnswers.Limits = .init()) {
        self.backend = backend
        answers = LogAnswers(backend: backend, loop: loop, limits: limits)
    }

    var routes: [Route] {
        [
            Route("GET", "/api/v1/logs/sources", .viewer) { (_) throws(DashboardRefusal) in
                try await answers.sources()
            },
            Route("GET", "/api/v1/logs", .viewer) { (request) throws(DashboardRefusal) in
                try await answers.page(request)
            },
            Route("GET", "/api/v1/logs/search", .viewer) { (request) throws(DashboardRefusal) in
                try await answers.search(request)
            },
            Route("GET", "/api/v1/logs/download", .viewer) { (request) throws(DashboardRefusal) in
                try await answers.download(request)
            },
        ]
    }

    /// `log/APP/I/STREAM`, `log/deployex` or `log/deployex/STREAM`.
    func topic(
        _ name: [String], for visitor: Visitor
    ) throws(DashboardRefusal) -> (any EventTopicSource)? {
        guard name.first == "log" else { return nil }
        let target: LogTarget
        switch name.count {
        case 2 where name[1] == LogTarget.own: target = try LogTarget(name[1], "all", "stdout")
        case 3 where name[1] == LogTarget.own: target = try LogTarget(name[1], "all", name[2])
        case 4: target = try LogTarget(name[1], name[2], name[3])
        default: throw DashboardRefusal(.notFound, "a log's topic is log/APP/INSTANCE/STREAM")
        }
        return LogTopic(target, backend: backend)
    }
}

/// Answers what is asked about logs.
///
/// Everything that reads a file, or makes much text, runs off the loop, in short steps, and ends when
/// the client goes.
actor LogAnswers {
    /// What goes on at a time, in the whole process.
    struct Limits: Equatable, Sendable {
        var searchCount = 2
        var downloadCount = 4
        var pageCount = 4
    }

    private nonisolated let loop: EventLoop
    private let backend: any LogBackend
    private let limits: Limits
    private var searchCount = 0
    private var downloadCount = 0
    private var pageCount = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// The most lines of a page, and matches of a search.
    private static let maximumLineCount = 5_000
    private static let maximumMatchCount = 1_000
    private static let chunkByteCount = 256 << 10

    init(backend: any LogBackend, loop: EventLoop, limits: Limits) {
        self.backend = backend
        self.loop = loop
        self.limits = limits
    }

    func sources() async throws(DashboardRefusal) -> HTTPServerResponse {
        let inventory = try await backend.logInventory()
        let sources = inventory.map { application in
            Term.object([
                ("app", .binary(application.application)),
                ("configured", application.isConfigured.term),
                ("instances", .list(application.instances.map { .integer($0.value) })),
            ])
        }
        return .json(200, .object([("sources", .list(sources))]))
    }

    // MARK: Pages

    func page(_ request: RoutedRequest) async throws(DashboardRefusal)
        -> HTTPServerResponse
    {
        let query = try request.query()
        let sources = try await backend.logs(of: try Self.target(query))
        let count = try Self.integer("lines", query, in: 1...Self.maximumLineCount) ?? 200
        let (before, after) = (try Self.cursor("before", query), try Self.cursor("after", query))
        guard before == nil || after == nil else {
            throw DashboardRefusal(.malformed, "a page is before or after a cursor, not both")
        }
        guard pageCount < limits.pageCount else {
            throw DashboardRefusal(
                .unavailable, "\(pageCount) pages are being read already: try again")
        }
        pageCount += 1
        defer { pageCount -= 1 }
        do throws(LogReadingError) {
            return try await offload { () throws(LogReadingError) in
                let page =
                    if let after {
                        try LogMerge.after(after, of: sources, count: count)
                    } else {
                        try LogMerge.before(before, of: sources, count: count)
                    }
                return .json(200, page.term)
            }
        } catch {
            throw DashboardRefusal(error)
        }
    }

    // MARK: Searches

    func search(_ request: RoutedRequest) async throws(DashboardRefusal)
        -> HTTPServerResponse
    {
        let fields = try request.query()
        let target = try Self.target(fields)
        let query = try await Self.query(fields)
        let cursor = try Self.cursor("before", fields)
        let sources = try await backend.logs(of: target)
        guard searchCount < limits.searchCount else {
            throw DashboardRefusal(
                .unavailable, "\(searchCount) searches are under way already: try again")
        }
        searchCount += 1
        defer { searchCount -= 1 }
        do throws(LogReadingError) {
            var search = try LogSearch(query, in: sources, from: cursor)
            while !search.isFinished {
                // The client has gone.
                if Task.isCancelled { search.cancel() }
                let before = search
                search = try await offload { () throws(LogReadingError) in
                    var search = before
                    try search.step()
                    return search
                }
            }
            let result = search
            return await offload { .json(200, result.term) }
        } catch {
            throw DashboardRefusal(error)
        }
    }

    private static func query(_ fields: FormFields) async throws(DashboardRefusal) -> LogQuery {
        guard let text = fields["q"], !text.isEmpty else {
            throw DashboardRefusal(.malformed, "\"q\" says what to search for")
        }
        let ignoresCase = try !flag("case", fields)
        let isPattern = try flag("regex", fields)
        let program: LineProgram
        do throws(LinePatternError) {
            program = try await offload { () throws(LinePatternError) in
                try LineProgram(
                    isPattern
                        ? LinePattern(parsing: text, ignoringCase: ignoresCase)
                        : LinePattern(literal: text, ignoringCase: ignoresCase))
            }
        } catch {
            throw DashboardRefusal(.malformed, "the pattern: \(error)")
        }
        return LogQuery(
            program, from: try time("from", fields), to: try time("to", fields),
            limit: try integer("limit", fields, in: 1...maximumMatchCount) ?? 100)
    }

    // MARK: Downloads

    func download(_ request: RoutedRequest) async throws(DashboardRefusal)
        -> HTTPServerResponse
    {
        let target = try Self.target(try request.query())
        let sources = try await backend.logs(of: target)
        guard downloadCount < limits.downloadCount else {
            throw DashboardRefusal(
                .unavailable, "\(downloadCount) downloads are under way already: try again")
        }
        // Nothing but letters, digits and _ is in the name of an application that has logs.
        let name = [
            target.application, target.instance.map { "\($0)" }, target.stream?.rawValue,
        ].compactMap { $0 }.joined(separator: "-")
        return HTTPServerResponse(
            200,
            fields: [
                HTTPField("Content-Type", "text/plain; charset=utf-8"), .noStore,
                HTTPField("Content-Disposition", "attachment; filename=\"\(name).log\""),
            ],
            content: .stream { [self] writer in await write(sources, to: writer) })
    }

    /// Writes the logs one after the other, each as far as it goes now.
    private func write(_ sources: [LogSource], to writer: HTTPContentWriter) async {
        // Others may have begun since the answer's head was made.
        guard downloadCount < limits.downloadCount else { return await writer.close() }
        downloadCount += 1
        defer { downloadCount -= 1 }
        for source in sources {
            if sources.count > 1 {
                let name = source.instance.map { "\($0)" } ?? LogTarget.own
                let title = "==> \(name) \(source.stream.rawValue) <==\n"
                guard await writer.write(Array(title.utf8)) else { return }
            }
            do throws(FileSystemError) {
                guard try await write(source, to: writer) else { return }
            } catch {
                let text = "deployex cannot read on: \(SafeText.line("\(error)"))\n"
                guard await writer.write(Array(text.utf8)) else { return }
            }
        }
    }

    /// - Returns: `false` when the client has gone.
    private func write(
        _ source: LogSource, to writer: HTTPContentWriter
    ) async throws(FileSystemError) -> Bool {
        let (path, owners) = (source.path, source.logs.owners)
        let end = try await offload { () throws(FileSystemError) in
            try LogFiles.position(path: path, lastLines: 0, owners: owners)
        }
        var position = LogPosition(offset: 0, inode: 0)
        while position.offset < end.offset {
            guard !Task.isCancelled else { return false }
            let start = position
            let chunk = try await offload { () throws(FileSystemError) in
                try LogFiles.read(
                    path: path, from: start, limit: Self.chunkByteCount, owners: owners)
            }
            // It was cut or replaced meanwhile: what it was is gone.
            guard !chunk.bytes.isEmpty, !chunk.isFromBeginning || start.offset == 0 else { break }
            let surplus = max(chunk.next.offset - end.offset, 0)
            let bytes = chunk.bytes.dropLast(Int(surplus))
            guard await writer.write(Array(bytes)) else { return false }
            position = chunk.next
        }
        return true
    }

    // MARK: Parameters

    private static func target(_ query: FormFields) throws(DashboardRefusal) -> LogTarget {
        guard let application = query["app"] else {
            throw DashboardRefusal(.malformed, "\"app\" names the application, or deployex")
        }
        return try LogTarget(application, query["instance"] ?? "all", query["stream"] ?? "both")
    }

    private static func cursor(
        _ name: String, _ query: FormFields
    ) throws(DashboardRefusal) -> LogCursor? {
        guard let text = query[name] else { return nil }
        guard let cursor = LogCursor(text) else {
            throw DashboardRefusal(.malformed, "\"\(name)\" is no cursor of a page")
        }
        return cursor
    }

    private static func integer(
        _ name: String, _ query: FormFields, in range: ClosedRange<Int>
    ) throws(DashboardRefusal) -> Int? {
        guard let text = query[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw DashboardRefusal(
                .malformed,
                "\"\(name)\" is a number from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return number
    }

    /// Seconds since 1970, as milliseconds.
    private static func time(
        _ name: String, _ query: FormFields
    ) throws(DashboardRefusal) -> Int64? {
        guard let text = query[name] else { return nil }
        guard let seconds = Double(text), (0...1e11).contains(seconds) else {
            throw DashboardRefusal(.malformed, "\"\(name)\" is a time in seconds since 1970")
        }
        return Int64((seconds * 1_000).rounded())
    }

    private static func flag(
        _ name: String, _ query: FormFields
    ) throws(DashboardRefusal) -> Bool {
        switch query[name] {
        case nil, "0"?: return false
        case "1"?: return true
        default: throw DashboardRefusal(.malformed, "\"\(name)\" is 0 or 1")
        }
    }
}

extension DashboardRefusal {
    init(_ error: LogReadingError) {
        switch error {
        case .gone:
            self.init(
                .gone, "this place of the log is gone: it was rotated away, or the log was replaced"
            )
        case .otherLogs: self.init(.malformed, "the cursor is of other logs")
        case .file(let error): self.init(.conflict, "\(error)")
        }
    }
}

extension MergedPage {
    fileprivate var term: Term {
        .object([
            ("lines", .list(lines.map(\.term))), ("before", .orNull(before?.text)),
            ("after", .binary(after.text)),
        ])
    }
}

extension LogSearch {
    fileprivate var term: Term {
        .object([
            ("matches", .list(matches.map(\.term))),
            ("complete", isComplete.term),
            ("reason", stop.map { .binary($0.rawValue) } ?? .null),
            ("searched_bytes", .integer(searchedByteCount)),
            ("before", .orNull(rest?.text)),
        ])
    }
}

extension MergedLine {
    fileprivate var term: Term {
        .object([
            ("instance", .orNull(source.instance)), ("stream", .binary(source.stream.rawValue)),
            ("cursor", .binary(cursor.text)), ("text", .binary(text)),
            ("at", at.map { .float(Double($0) / 1_000) } ?? .null),
        ])
    }
}
