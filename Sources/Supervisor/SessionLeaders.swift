internal import Glibc

/// Looks for processes by where they run, for the case that nothing on disk names them.
package enum SessionLeaders {
    /// The processes that lead a session, were started in `folder`, and still work there. It blocks.
    package static func running(in folder: String) -> [ProcessIdentity] {
        guard let wanted = realPath(folder) else { return [] }
        return ProcessStatus.all().filter { status in
            !status.isZombie && status.session == status.pid
                && realPath("/proc/\(status.pid)/cwd") == wanted
        }.map(ProcessIdentity.init)
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
