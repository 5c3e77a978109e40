import ExternalTermFormat

@testable import deployex

/// Calls of the module `deployex`: the first byte says which function and how many applications there are, the rest is the
/// list of arguments.
enum ControlTarget {
    private static let functions = [
        "status", "stop_all", "deploy", "auto", "rollback", "unghost", "restart", "stop", "start",
        "versions", "tail", "read_log", "instance", "module_info", "follow_log", "request", "await",
    ]

    private static let one = InstanceDirectory([.init(name: "counter", replicas: 3)])
    private static let two = InstanceDirectory([
        .init(name: "counter", replicas: 3), .init(name: "web_app", replicas: 1),
    ])

    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let first = input.byte()
        let function = functions[Int(first >> 1) % functions.count]
        let term: Term
        do throws(TermError) {
            term = try Term(decoding: input.rest, limits: .distribution)
        } catch {
            return
        }
        guard let arguments = term.asList else { return }
        do throws(ControlRefusal) {
            let call = try ControlCall.parse(
                function, arguments, in: first & 1 == 0 ? one : two)
            guard case .awaitGoal(let goal, _, _)? = call else { return }
            try check(goal.term)
        } catch {
            try require(error.description.utf8.count < 500, "a long answer: \(error)")
            try require(!error.description.contains("\n"), "more than a line: \(error)")
        }
    }

    /// What is kept of an argument.
    private static func check(_ goal: Term) throws(ControlRefusal) {
        guard goal.isShort(maximumByteCount: 4096) else {
            throw ControlRefusal(String(repeating: "a goal is kept whole ", count: 50))
        }
    }
}
