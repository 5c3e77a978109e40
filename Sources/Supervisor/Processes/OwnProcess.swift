internal import CLinux
internal import Glibc
internal import Transport

/// What this process shows of itself to the rest of the host.
package enum OwnProcess {
    /// Writes over this process's argument `index` (0 is its own name) from byte `offset` on, where
    /// `ps` and `/proc/PID/cmdline` show it.
    package static func overwriteArgument(_ index: Int, from offset: Int) {
        guard let index = Int32(exactly: index), offset >= 0 else { return }
        clinux_overwrite_argument(index, offset)
    }

    /// Gives this process the name that `ps` and `/proc/PID/comm` show; called by the main thread.
    package static func setName(_ name: String) {
        // Longer ones are cut: it does not fail.
        _ = clinux_set_name(name)
    }

    /// Leaves no core dump from now on, and lets nobody but root trace this process or read its memory
    /// and its environment. What it starts is as it would have been.
    package static func refuseDumps() {
        // It takes no argument that could be wrong.
        _ = clinux_refuse_dumps()
    }
}
