package import HTTP
internal import Transport

/// What a receiver says to one event that is sent once.
package enum NotificationTrial: Equatable, Sendable {
    case taken(status: Int)
    /// The first line of its answer says why, if it says so.
    case refused(status: Int, text: String)
    case unreachable(reason: String)

    private static let contentLimit = 64 << 10

    /// - Parameter time: the time of day, in seconds since 1970.
    package static func send(
        _ event: NotificationEvent, to sink: NotificationSink, by client: any HTTPSending,
        at time: Int64, within deadline: Duration = .seconds(15)
    ) async -> NotificationTrial {
        guard let request = sink.request(event, at: time) else {
            return .unreachable(reason: "it takes no such event")
        }
        do throws(HTTPError) {
            let answer = try await client.send(
                request, within: deadline, contentLimit: contentLimit)
            if answer.isSuccess { return .taken(status: answer.status) }
            let line = String(decoding: answer.content.prefix(200), as: UTF8.self)
                .prefix { !$0.isNewline }
            return .refused(status: answer.status, text: SafeText.line(String(line)))
        } catch {
            return .unreachable(reason: SafeText.line(error.reason))
        }
    }
}
