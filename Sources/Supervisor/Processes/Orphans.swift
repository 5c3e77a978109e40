internal import CLinux
internal import Glibc
package import Transport

/// The processes that have lost their parent and become children of deployex: daemons that an instance, or
/// what it had started, has left behind. As long as deployex lives, nothing that its instances have started is
/// lost to it.
///
/// They are told from deployex's own children, which ``OwnChildren`` knows, and reaped when they end. Whose
/// they are their environment says: ``variable``, which an instance's program is started with and hands on.
/// One without it is reaped, and nothing else.
///
/// Source: PR_SET_CHILD_SUBREAPER(2const); the first process of a pid namespace is one without being asked.
package final class Orphans: Sendable {
    /// In it stands the folder of the instance that a process belongs to.
    package static let variable = "DEPLOYEX_INSTANCE_FOLDER"

    private struct Orphan: Sendable {
        let handle: ProcessHandle
        let session: Int32
        /// Whose it is.
        let mark: String?
        var isOld = false
        var isTold = false
    }

    private struct State: Sendable {
        var orphans: [Int32: Orphan] = [:]
        /// By mark.
        var listeners: [String: Listener] = [:]
    }

    typealias Listener = @Sendable (_ identity: ProcessIdentity, _ session: Int32) -> Void

    private let state = Guarded(State())

    /// Makes this process the parent of what loses its own. Nothing in it may make children then but what
    /// ``OwnChildren`` is told of.
    package init() throws(SystemError) {
        guard clinux_adopt_orphans() == 0 else { throw .last("becoming the parent of orphans") }
    }

    // MARK: On the loop

    /// Looks for them every second, as long as the task lives, which prefers the loop.
    package func watch(on loop: any SerialLoop) async {
        while !Task.isCancelled {
            await loop.offload { self.look() }
            for (listener, orphan) in takeNews() {
                listener(orphan.handle.identity, orphan.session)
            }
            await loop.sleep(for: .seconds(1))
        }
    }

    /// Tells, on the loop, of each with that mark that was there at two looks: most live shorter.
    func listen(_ mark: String, _ listener: Listener?) {
        state.withLock { $0.listeners[mark] = listener }
    }

    private func takeNews() -> [(Listener, Orphan)] {
        state.withLock { state in
            var news: [(Listener, Orphan)] = []
            for (pid, orphan) in state.orphans {
                guard let mark = orphan.mark, !orphan.isTold else { continue }
                state.orphans[pid]?.isOld = true
                guard orphan.isOld, let listener = state.listeners[mark] else { continue }
                state.orphans[pid]?.isTold = true
                news.append((listener, orphan))
            }
            return news
        }
    }

    // MARK: Elsewhere

    /// Those with that mark that live now. It blocks.
    func living(_ mark: String) -> [ProcessHandle] {
        look()
        return state.withLock { state in
            state.orphans.values.filter { $0.mark == mark && !$0.handle.hasExited }.map(\.handle)
        }
    }

    /// Reaps what has ended, and opens what is new. It blocks.
    private func look() {
        let known = state.withLock { state in
            state.orphans = state.orphans.filter { !$0.value.handle.hasExited }
            return Set(state.orphans.keys)
        }
        let found = OwnChildren.others(known: known).compactMap { handle -> Orphan? in
            let pid = handle.identity.pid
            guard let status = ProcessStatus.ofProcess(pid) else { return nil }
            return Orphan(handle: handle, session: status.session, mark: Self.mark(of: status))
        }
        state.withLock { state in
            for orphan in found { state.orphans[orphan.handle.identity.pid] = orphan }
        }
    }

    private static func mark(of status: ProcessStatus) -> String? {
        // An EPMD is the whole host's, whoever needed it first.
        guard status.name != "epmd" else { return nil }
        let name = variable + "="
        return ProcFile.environment(of: status.pid).first { $0.hasPrefix(name) }.map {
            String($0.dropFirst(name.count))
        }
    }
}
