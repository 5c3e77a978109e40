internal import CInstructions
internal import Glibc

/// How many instructions our own process executes in user space. Unlike times they do not depend on
/// the machine's other work, and hardly on the processor.
enum Instructions {
    /// The counter, or why there is none.
    private static let counter: Result<Int32, Absence> = {
        let descriptor = cinstructions_open()
        guard descriptor < 0 else { return .success(descriptor) }
        let code = errno
        return .failure(
            Absence(
                reason: code == EACCES || code == EPERM
                    ? "the kernel does not permit it" : "this machine counts none"))
    }()

    private struct Absence: Error {
        var reason: String
    }

    /// What stands above a result.
    static var line: String {
        switch counter {
        case .success: "instr.: of ours, in user space, for each operation"
        case .failure(let absence): "instr.: not counted: \(absence.reason)"
        }
    }

    /// All so far; `nil` if they are not counted.
    static var total: UInt64? {
        guard case .success(let descriptor) = counter else { return nil }
        var count: UInt64 = 0
        return read(descriptor, &count, 8) == 8 ? count : nil
    }

    /// For each of `operations`, since `start`.
    static func each(since start: UInt64?, _ operations: Int) -> Double? {
        guard let start, let end = total else { return nil }
        return Double(end - start) / Double(operations)
    }
}
