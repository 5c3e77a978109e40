internal import Glibc
internal import Supervisor
internal import Transport

/// `deployex hold BASE`, which deployex itself starts: see ``HolderServer``. It needs no event loop and no
/// other thread, and so little memory.
enum HoldSockets {
    static func run() -> Int32 {
        // A signal to all processes named `deployex` is not meant for this one.
        OwnProcess.setName("deployex-hold")
        for number in ServerSignal.harmless + [SIGPIPE, SIGINT] { signal(number, SIG_IGN) }
        OwnProcess.refuseDumps()
        do throws(SystemError) {
            try RootRights.renounceNewOnes()
        } catch {
            // It starts nothing that could have more rights.
        }
        guard let holder = HolderServer() else {
            Output.error("hold: deployex itself starts this, to keep listening sockets")
            return ExitCode.usage
        }
        holder.run()
        return ExitCode.done
    }
}
