internal import Deployment
internal import ExternalTermFormat
internal import Supervisor
internal import Transport

/// The topic `log/…`: lines as they are written.
struct LogTopic: EventTopicSource {
    let kind = "log"
    private let target: LogTarget
    private let backend: any LogBackend
    private let observer = ObservationFeed.pagePrefix + RandomToken.hexadecimal(byteCount: 8)

    /// What one event has at most.
    private static let lineCount = 500
    private static let byteCount = 48 << 10
    /// A client that is further behind skips.
    private static let maximumDelayByteCount = 1 << 20
    private static let longestWait: Duration = .seconds(60)
    /// When a line without its end is looked at again.
    private static let pause: Duration = .seconds(2)

    init(_ target: LogTarget, backend: any LogBackend) {
        self.target = target
        self.backend = backend
    }

    func next(after text: String?) async throws(DashboardRefusal) -> TopicNews {
        let sources = try await backend.logs(of: target)
        do throws(LogReadingError) {
            guard let text else {
                return try await offload { () throws(LogReadingError) in
                    let end = try LogMerge.end(of: sources)
                    return Self.news([], of: sources, skipped: 0, end)
                }
            }
            guard let cursor = LogCursor(text) else { throw .otherLogs }
            while true {
                // Before looking, so that nothing is missed in between.
                let watched = await backend.watch(sources)
                let isLeaving = Task.isCancelled
                let (news, isUnfinished) = try await offload {
                    () throws(LogReadingError) -> (TopicNews?, Bool) in
                    let page = try LogMerge.after(
                        cursor, of: sources, count: Self.lineCount, byteCount: Self.byteCount,
                        skippingBeyond: Self.maximumDelayByteCount)
                    let isNews = !page.lines.isEmpty || page.skippedByteCount > 0
                    guard isNews || isLeaving else { return (nil, page.hasUnfinishedLine) }
                    let news = Self.news(
                        page.lines, of: sources, skipped: page.skippedByteCount, page.after)
                    return (news, false)
                }
                if let news { return news }
                await wait(for: watched, isUnfinished ? Self.pause : Self.longestWait)
            }
        } catch {
            throw DashboardRefusal(error)
        }
    }

    /// If deployex cannot wait, because it is ending, or too many wait, this takes a moment.
    private func wait(for logs: WatchedLogs, _ limit: Duration) async {
        do throws(DashboardRefusal) {
            try await backend.change(of: logs, by: observer, within: limit)
        } catch {
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private static func news(
        _ lines: [MergedLine], of sources: [LogSource], skipped: Int64, _ cursor: LogCursor
    ) -> TopicNews {
        TopicNews(
            cursor: cursor.text,
            .object([
                ("skipped", .integer(Int(skipped))),
                (
                    "lines",
                    .list(lines.map { sources.count > 1 ? $0.shortTerm : .binary($0.text) })
                ),
            ]))
    }
}

extension MergedLine {
    fileprivate var shortTerm: Term {
        .object([
            ("instance", .orNull(source.instance)), ("stream", .binary(source.stream.rawValue)),
            ("text", .binary(text)),
        ])
    }
}
