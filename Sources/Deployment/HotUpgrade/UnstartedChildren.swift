internal import ErlDist
internal import ExternalTermFormat
internal import Transport

/// Asks a node's supervisors for children that have no process: a hot upgrade makes a new child
/// known, and does not start it.
struct UnstartedChildren {
    /// A child of a supervisor, known and without a process.
    struct Child: Hashable, Sendable {
        var supervisor: Term
        var child: Term
        /// For people.
        var text: String
    }

    /// The children without a process that were found.
    struct Found: Sendable {
        var children: Set<Child> = []
        /// Whether there was time enough to ask all supervisors, and there were not too many.
        var isWhole = true
    }

    var node: any RemoteNode
    /// The applications whose supervisors are asked.
    var applications: [String]
    var loop: any SerialLoop
    /// The time limit of each question about a supervisor. One that does not answer is passed over.
    var timeout: Duration = .seconds(2)
    /// The time limit of all these questions together, each time.
    var totalTimeout: Duration = .seconds(20)

    /// How many supervisors are asked, and how many children one of them may have.
    private static let maximumSupervisors = 500
    private static let maximumChildren = 2_000

    /// The children in the applications' trees of supervisors that have no process. Some may be
    /// meant to have none, so they are looked for before and after.
    func find() async -> Found {
        let deadline = loop.now + totalTimeout
        func answer(_ module: Atom, _ function: Atom, _ argument: Term) async -> Term? {
            let left = deadline - loop.now
            guard left > .zero else { return nil }
            do throws(RemoteCallError) {
                return try await call(module, function, [argument], min(timeout, left))
            } catch {
                return nil
            }
        }
        var found = Found()
        var waiting: [Term] = []
        for application in applications {
            let name = Term.atom(Atom(shortEnough: application))
            // A library has no master, and nothing to supervise.
            guard let master = await answer("application_controller", "get_master", name),
                case .pid = master,
                let root = await answer("application_master", "get_child", master)?.asTuple?.first
            else { continue }
            waiting.append(root)
        }
        var seen: Set<Term> = []
        while seen.count < Self.maximumSupervisors, let supervisor = waiting.popLast() {
            guard case .pid = supervisor, seen.insert(supervisor).inserted else { continue }
            // What is no supervisor would end at the next question.
            guard
                let module = await answer("supervisor", "get_callback_module", supervisor)?.asAtom,
                let count = await answer("supervisor", "count_children", supervisor)?.asList,
                Self.isWorthListing(count),
                let children = await answer("supervisor", "which_children", supervisor)?.asList
            else { continue }
            for child in children {
                guard let fields = child.asTuple, fields.count == 4 else { continue }
                if fields[1] == .atom("undefined") {
                    let id = fields[0].erlangText(maximumByteCount: 100)
                    found.children.insert(
                        Child(
                            supervisor: supervisor, child: fields[0],
                            text: "\(id) of \(module.name)"))
                } else if fields[2] == .atom("supervisor") {
                    waiting.append(fields[1])
                }
            }
        }
        found.isWhole = waiting.isEmpty && loop.now < deadline
        return found
    }

    /// Whether some child has no process or is itself a supervisor, and the list is not too long.
    private static func isWorthListing(_ count: [Term]) -> Bool {
        func value(_ key: Atom) -> Int {
            let pair = count.first { $0.asTuple?.first == .atom(key) }
            return pair?.asTuple?.last?.asInteger ?? 0
        }
        let (specs, active) = (value("specs"), value("active"))
        return (value("supervisors") > 0 || specs > active) && max(specs, active) <= maximumChildren
    }

    private func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], _ timeout: Duration
    ) async throws(RemoteCallError) -> Term {
        try await node.call(module, function, arguments, timeout: timeout, output: { _ in })
    }
}
