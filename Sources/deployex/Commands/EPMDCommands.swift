internal import EPMD
internal import Glibc
internal import Supervisor
internal import Transport

/// `deployex names` and `deployex epmd`.
struct EPMDCommands {
    let environment: [String: String]
    let loop: EventLoop

    /// `deployex names [HOST]`: what `epmd -names` prints.
    func names(host: String?) async throws -> Int32 {
        let client = try EPMDAccess.client(environment, loop: loop)
        let names: [EPMDName]
        do throws(EPMDError) {
            names = if let host { try await client.names(host: host) } else { try await client.names() }
        } catch {
            throw CommandFailure("\(error)", exitCode: ExitCode.unreachable)
        }
        for name in names { Output.line("name \(name.name) at port \(name.port)") }
        return ExitCode.done
    }
}
