internal import Deployment
internal import ExternalTermFormat

/// `restart`, `stop` or `start` for several instances: those of one application, or all.
struct GroupOrder: Command {
    enum Function: String {
        case restart, stop, start
    }

    let function: Function
    /// The application; `nil` for all, or the one that `--app` names.
    let application: String?
    /// Whether to wait until the effect is seen.
    var waits = true

    /// One of the instances.
    struct Member: Equatable {
        var application: String
        var number: Int

        var name: String { "\(application)-\(number)" }
    }

    /// The instances that it concerns, and a line for each one that it leaves as it is.
    static func members(
        of status: StatusReport, for function: Function
    ) -> (members: [Member], notes: [String]) {
        var members: [Member] = []
        var notes: [String] = []
        for application in status.applications {
            for instance in application.instances {
                guard let name = application.name, let number = instance.number else { continue }
                let member = Member(application: name, number: number)
                switch (function, instance.isStoppedByOperator ?? false) {
                case (.restart, false) where instance.version == nil:
                    notes.append("\(member.name) has no version yet")
                case (.restart, true):
                    notes.append(
                        "\(member.name) stays stopped: `deployex start \(member.name)` starts it")
                case (.start, false): notes.append("\(member.name) is not stopped")
                case (.stop, true): notes.append("\(member.name) is stopped already")
                case (.restart, false), (.start, true), (.stop, false): members.append(member)
                }
            }
        }
        return (members, notes)
    }

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        let status = try await client.status(of: application ?? setting.invocation.application)
        let (members, notes) = Self.members(of: status, for: function)
        for note in notes { Output.line(note) }
        guard !members.isEmpty else { return .done }
        let patience = setting.invocation.patience
        var isRefused = false
        var goals: [Term] = []
        for member in members {
            guard let goal = try await request(member, client) else {
                isRefused = true
                continue
            }
            if function == .restart {
                // Each is ready before the next one is touched.
                Output.line(try await client.wait(for: goal, within: patience))
            } else {
                goals.append(goal)
            }
        }
        if waits {
            for goal in goals { Output.line(try await client.wait(for: goal, within: patience)) }
        }
        return isRefused ? .exit(ExitCode.refused) : .done
    }

    /// - Returns: the goal to wait for; `nil` when deployex refuses this one, which does not keep
    ///   the others from their turn.
    private func request(
        _ member: Member, _ client: ControlClient
    ) async throws(CommandFailure) -> Term? {
        do throws(CommandFailure) {
            let (text, goal) = try await client.request(
                Atom(shortEnough: function.rawValue), [member.application.term, member.number.term])
            Output.line("\(member.application): \(text)")
            return goal
        } catch {
            guard error.exitCode == ExitCode.refused else { throw error }
            Output.error("\(member.name): \(error.message)")
            return nil
        }
    }
}
