import FoundationEssentials
import Glibc
import TestKit

/// A user of this host that lives as long as a test. Only root makes one.
struct TestAccount: Sendable {
    let name: String
    let id: uid_t
    let group: gid_t

    static var canBeMade: Bool { geteuid() == 0 }

    /// Makes a user with a group of its own and no home, runs `body`, and removes both.
    static func run<Result: Sendable>(
        _ body: @Sendable (TestAccount) async throws -> Result
    ) async throws -> Result {
        let account = try TestAccount()
        do {
            let result = try await body(account)
            account.remove()
            return result
        } catch {
            account.remove()
            throw error
        }
    }

    private init() throws {
        name = "deployex-" + UUID().uuidString.prefix(8).lowercased()
        try Self.run("useradd", "--system", "--user-group", "--no-create-home", name)
        guard let entry = getpwnam(name) else { throw TestFailure("there is no user \(name)") }
        (id, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }

    private func remove() {
        try? Self.run("userdel", name)
    }

    private static func run(_ program: String, _ arguments: String...) throws {
        let path =
            try ["/usr/sbin/", "/sbin/"].map { $0 + program }
            .first { access($0, X_OK) == 0 } ?? ThisHost.find(program)
        try ChildProcess.run(path, arguments, environment: ["PATH": ThisHost.path])
    }
}
