internal import CLinux
internal import Glibc
internal import Transport

/// What this process shows of itself to the rest of the host.
package enum OwnProcess {
    /// This process's arguments, its own name first.
    ///
    /// `CommandLine` reads `/proc/self/cmdline`. Where that is missing, it knows no arguments, and
    /// every command would look like the one without any.
    package static var arguments: [String] {
        var arguments: [String] = []
        while let index = Int32(exactly: arguments.count), let text = clinux_argument(index) {
            arguments.append(String(cString: text))
        }
        return arguments
    }

    /// Gives `/dev/null` to each of the descriptors 0, 1 and 2 that this process was started
    /// without. Otherwise the next file that it opens gets that number, and what it prints goes
    /// there.
    package static func openStandardDescriptors() {
        for number: Int32 in 0...2 where fcntl(number, F_GETFD) < 0 && clinux_errno() == EBADF {
            // The lowest number that is free. If it fails, there is nothing to say it with.
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// Overwrites this process's argument `index` (0 is its own name) from byte `offset` on, as
    /// `ps` and `/proc/PID/cmdline` show it.
    package static func overwriteArgument(_ index: Int, from offset: Int) {
        guard let index = Int32(exactly: index), offset >= 0 else { return }
        clinux_overwrite_argument(index, offset)
    }

    /// Sets the process name that `ps` and `/proc/PID/comm` show. Called by the main thread.
    package static func setName(_ name: String) {
        // This does not fail: longer names are cut.
        _ = clinux_set_name(name)
    }

    /// From now on, leaves no core dump, and lets only root trace this process or read its memory
    /// and environment. Programs that it starts are not affected.
    package static func refuseDumps() {
        // It cannot fail: it has no argument that could be wrong.
        _ = clinux_refuse_dumps()
    }
}
