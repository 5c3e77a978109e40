/// One event of an event stream. Source: HTML standard, "Server-sent events".
enum ServerSentEvent {
    /// What a stream says when there is nothing to say.
    static let comment = Array(":\n\n".utf8)

    /// How long a browser waits before it connects again.
    static let retry = Array("retry: 1000\n\n".utf8)

    /// - Parameters:
    ///   - id: what a client names in `Last-Event-ID`.
    ///   - data: text without line ends.
    static func bytes(_ name: String, id: String? = nil, _ data: String) -> [UInt8] {
        let id = id.map { "id: \($0)\n" } ?? ""
        return Array("event: \(name)\n\(id)data: \(data)\n\n".utf8)
    }
}
