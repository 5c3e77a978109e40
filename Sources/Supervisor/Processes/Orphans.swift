internal import CLinux
internal import Glibc
package import Transport

/// The processes that have lost their parent and become children of deployex: daemons that an
/// instance, or a process started by it, has left behind. As long as deployex lives, it loses track
/// of no process that its instances have started.
///
/// They are not deployex's own children, which ``OwnChildren`` knows. They are reaped when they
/// end. Their environment says which instance they belong to: an instance's program is started with
/// ``variable`` and hands it on. A process without the variable is only reaped.
///
/// Source: PR_SET_CHILD_SUBREAPER(2const). The first process of a pid namespace adopts orphans
/// anyway.
package final class Orphans: Sendable {
    /// Its value is the folder of the instance that a process belongs to.
    package static let variable = "DEPLOYEX_INSTANCE_FOLDER"

    private struct Orphan: Sendable {
        let handle: ProcessHandle
        let session: Int32
        /// Which instance the process belongs to, as it says itself.
        let mark: String?
        let user: UInt32?
        var isOld = false
        var isTold = false
    }

    private struct State: Sendable {
        var orphans: [Int32: Orphan] = [:]
        /// By mark.
        var listeners: [String: (owner: UInt32, tell: Listener)] = [:]
    }

    typealias Listener = @Sendable (_ identity: ProcessIdentity, _ session: Int32) -> Void

    private let state = Guarded(State())

    /// Makes this process the parent of its orphaned descendants. From then on, every child that
    /// this process makes must be known to ``OwnChildren``.
    package init() throws(SystemError) {
        guard clinux_adopt_orphans() == 0 else { throw .last("becoming the parent of orphans") }
    }

    // MARK: On the loop

    /// Looks for orphans every second, as long as the task lives. The task prefers the loop.
    package func watch(on loop: any SerialLoop) async {
        while !Task.isCancelled {
            await loop.offload { self.look() }
            for (listener, orphan) in takeNews() {
                listener(orphan.handle.identity, orphan.session)
            }
            await loop.sleep(for: .seconds(1))
        }
    }

    /// Reports, on the loop, each process with that mark that was there at two looks. Most live
    /// shorter.
    /// - Parameter owner: the user of the mark's instance. A mark can be forged: those of other users
    ///   are not believed.
    func listen(_ mark: String, of owner: UInt32, _ listener: Listener?) {
        state.withLock { state in
            state.listeners[mark] = listener.map { (owner, $0) }
        }
    }

    private func takeNews() -> [(Listener, Orphan)] {
        state.withLock { state in
            var news: [(Listener, Orphan)] = []
            for (pid, orphan) in state.orphans {
                guard let mark = orphan.mark, !orphan.isTold else { continue }
                state.orphans[pid]?.isOld = true
                guard orphan.isOld, let listener = state.listeners[mark],
                    Self.isBelieved(orphan.user, of: listener.owner)
                else { continue }
                state.orphans[pid]?.isTold = true
                news.append((listener.tell, orphan))
            }
            return news
        }
    }

    // MARK: Elsewhere

    /// The living orphans with that mark. It blocks.
    /// - Parameter owner: as for ``listen(_:of:_:)``.
    func living(_ mark: String, of owner: UInt32) -> [ProcessHandle] {
        look()
        return state.withLock { state in
            state.orphans.values.filter {
                $0.mark == mark && Self.isBelieved($0.user, of: owner) && !$0.handle.hasExited
            }.map(\.handle)
        }
    }

    /// Whether a process of `user` may bear the mark of an instance of `owner`.
    static func isBelieved(_ user: UInt32?, of owner: UInt32) -> Bool {
        user == owner || user == 0 || user == geteuid()
    }

    /// Reaps the orphans that have ended, and opens the new ones. It blocks.
    private func look() {
        let known = state.withLock { state in
            state.orphans = state.orphans.filter { !$0.value.handle.hasExited }
            return Set(state.orphans.keys)
        }
        let found = OwnChildren.others(known: known).compactMap { handle -> Orphan? in
            let pid = handle.identity.pid
            guard let status = ProcessStatus.ofProcess(pid) else { return nil }
            return Orphan(
                handle: handle, session: status.session, mark: Self.mark(of: status),
                user: ProcFile.user(of: pid))
        }
        state.withLock { state in
            for orphan in found { state.orphans[orphan.handle.identity.pid] = orphan }
        }
    }

    private static func mark(of status: ProcessStatus) -> String? {
        // An EPMD serves the whole host, whoever needed it first.
        guard status.name != "epmd" else { return nil }
        return ProcFile.variable(variable, of: status.pid)
    }
}
