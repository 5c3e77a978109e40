internal import Glibc
internal import TestKit

/// Where who runs: ours and the C program on the first processor, the BEAM on all others.
///
/// An idle BEAM spins for some 50 µs before it sleeps. Whether a caller shares its processor with that
/// is the scheduler's whim, lasts for seconds, and would decide every figure.
enum Processors {
    case ours, others, all

    /// The processors that we may use, as they were when the bench started.
    /// Source: `Cpus_allowed_list` in proc_pid_status(5).
    private static let allowed: [Int] = {
        let list = ProcFolder.value("Cpus_allowed_list", in: "/proc/self/status") ?? ""
        return list.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }()

    private var list: String {
        let numbers =
            switch self {
            case .ours: Self.allowed.prefix(1)
            case .others: Self.allowed.dropFirst()
            case .all: Self.allowed[...]
            }
        return numbers.map { "\($0)" }.joined(separator: ",")
    }

    /// Starts a program on these processors.
    func start(
        _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws(TestFailure) -> ChildProcess {
        guard Self.allowed.count > 1 else {
            return try .withPipes(program, arguments, environment: environment)
        }
        return try .withPipes(
            "taskset", ["-c", list, program] + arguments, environment: environment)
    }

    /// Confines the bench itself, and what it starts from now on without saying where.
    func confineBench() throws(TestFailure) {
        guard Self.allowed.count > 1 else { return }
        try ChildProcess.run("taskset", ["-p", "-c", list, "\(getpid())"])
    }
}
