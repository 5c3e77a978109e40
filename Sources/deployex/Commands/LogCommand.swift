internal import ExternalTermFormat
internal import Supervisor
internal import Transport

/// `deployex logs INSTANCE [--stderr] [-f] [-n N]`
struct LogCommand {
    let client: ControlClient
    let application: String?

    private static let pollInterval = Duration.milliseconds(200)

    /// Prints the last lines and, if asked to follow, what is written from then on. Each answer says
    /// where the next one begins, so that nothing is missed or comes twice.
    func run(_ request: Invocation.LogRequest) async throws -> Int32 {
        let directory = StatusView(try await client.status()).directory
        let instance = try directory.instance(named: request.instance, of: application)
        var output = ApplicationOutput(isRaw: request.isRaw)
        var start = Term.tuple([.atom("last"), .integer(request.lines)])
        while true {
            let answer = try await client.call(
                "read_log",
                [
                    .binary(instance.app), .integer(instance.number.value),
                    .atom(Atom(request.stream)), start,
                ])
            guard let text = answer["text"]?.asBinary, let next = answer["next"] else {
                throw CommandFailure(
                    "\(client.name) answers in another way: is it another version of deployex?",
                    exitCode: ExitCode.refused)
            }
            if let lost = answer["lost_bytes"]?.asInteger, lost > 0 {
                Output.error("\(lost) bytes were rotated away before they could be read")
            }
            output.write(text)
            guard request.follows, !Output.hasLostReader else {
                output.finish()
                return ExitCode.done
            }
            start = next
            // There may be more at once where a piece was cut off at its limit.
            if text.isEmpty { await client.context.loop.sleep(for: Self.pollInterval) }
        }
    }
}
