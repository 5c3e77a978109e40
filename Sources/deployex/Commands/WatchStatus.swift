internal import Deployment
internal import ExternalTermFormat
internal import Glibc
internal import Transport

extension Verb {
    static let watching = [
        Verb(
            name: "monit", forms: ["monit [--app APPLICATION] [--json] [--node NODE]"],
            summary: "watch what runs, with processor and memory",
            details: """
                Shows the status again at each change, with what each instance uses: the time of all its
                processes in percent of one processor, and the memory that is resident. deployex measures
                this every two seconds, and only while somebody watches. It goes on until Ctrl-C.
                """,
            ownOptions: [.json], peer: .deployex, concernsApplication: true
        ) { WatchStatus(asJSON: $0.has("--json"), withUsage: true) }
    ]
}

/// `deployex status --watch`, `deployex monit`
struct WatchStatus: Command {
    let asJSON: Bool
    /// Whether it also shows processor and memory.
    let withUsage: Bool

    /// Prints the state, and again whenever deployex tells that it has changed.
    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        let application = setting.invocation.application.map { [$0.term] } ?? []
        let view = View(asJSON: asJSON, withUsage: withUsage, loop: setting.loop)
        defer { view.close() }
        var seen: Int?
        while true {
            let place = application + [withUsage.term, .integer(seen ?? 0)]
            let patience = seen == nil ? Duration.zero : .seconds(60)
            let answer = try await ReaderWatch.whileReaderStays(on: setting.loop) {
                try await client.wait("watch_status", place, within: patience)
            }
            guard let answer else { return .done }
            guard let revision = answer["revision"]?.asInteger, let status = answer["status"] else {
                throw client.strangeAnswer
            }
            if revision != seen { view.show(status) }
            seen = revision
        }
    }
}

/// Where the state is shown. It is used on the loop's thread.
private final class View {
    private let asJSON: Bool
    private let withUsage: Bool
    private let loop: EventLoop
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var screen = Screen()
    private var status = StatusReport.empty
    private var receivedAt = MonotonicTime.now
    private var isFirst = true
    private var timer: LoopTimer?

    init(asJSON: Bool, withUsage: Bool, loop: EventLoop) {
        self.asJSON = asJSON
        self.withUsage = withUsage
        self.loop = loop
    }

    func show(_ term: Term) {
        defer { isFirst = false }
        if asJSON { return Output.line(term.json) }
        status = StatusReport(reading: term)
        receivedAt = .now
        guard isTerminal else {
            if !isFirst { Output.line("") }
            for line in lines { Output.line(line) }
            return
        }
        draw()
    }

    func close() {
        timer?.cancel()
    }

    /// Draws what is known, and again when a second has passed: the times go on by themselves.
    private func draw() {
        screen.show(lines)
        timer?.cancel()
        timer = loop.schedule(after: .seconds(1)) { [self] in draw() }
    }

    private var lines: [StyledLine] {
        let seconds = Int((MonotonicTime.now - receivedAt).components.seconds)
        return StatusTable(
            status.later(by: seconds), usesColours: Output.usesColours(), withUsage: withUsage,
            within: TextColumns.available
        ).lines
    }
}
