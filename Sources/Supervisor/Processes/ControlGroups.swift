internal import CLinux
internal import Glibc
internal import Transport

/// The control groups (version 2) of the instances, below the group that deployex itself is in.
///
/// Whatever an instance starts stays in the instance's group, whether it makes a session of its own
/// or loses its parent, and whether a deployex lives at that moment or not.
///
/// deployex makes groups only if its own group is delegated to it, as systemd does with
/// `Delegate=yes`. Otherwise somebody else manages that group, and may move processes or remove
/// groups at any time. deployex enables no controllers: a group that has passed controllers on to
/// the groups below it must not hold processes itself, and deployex is in it.
///
/// Files of control groups are in the kernel's memory, like those in `/proc`. Source: the kernel's
/// admin-guide/cgroup-v2.rst; systemd's "Control Group APIs and Delegation".
package struct ControlGroups: Sendable {
    /// Our own group, as ``ControlGroupPath/ofProcess(_:)`` gives it.
    private let path: String
    /// The folder of that group.
    package let folder: String

    /// The groups below this process's own group; `nil` if that one is not delegated to it. It
    /// blocks.
    package init?() {
        guard
            let path = ControlGroupPath.ofProcess(getpid()),
            let mounts = ProcFile.read("/proc/self/mountinfo", limit: 1 << 20)
        else { return nil }
        let folder = ControlGroupPath.folders(of: path, mounts: mounts).first {
            clinux_is_delegated_group($0) == 1
        }
        // Only whoever may write to the group above two others may move a process between them.
        guard let folder, access(folder, W_OK) == 0, access(folder + "/cgroup.procs", W_OK) == 0
        else { return nil }
        self.init(path: path, folder: folder)
    }

    init(path: String, folder: String) {
        self.path = path
        self.folder = folder
    }

    /// The group of an instance, whether it exists or not.
    /// - Parameter mark: the instance's folder, the value of ``Orphans/variable``.
    func group(marked mark: String) -> ControlGroup {
        ControlGroup(folder: "\(folder)/\(Self.name(marked: mark))")
    }

    /// The group of an instance that the process is in; `nil` if it is in none. The caller has to
    /// check afterwards that the process still has that pid.
    func group(of pid: Int32) -> ControlGroup? {
        let above = path == "/" ? path : path + "/"
        guard let path = ControlGroupPath.ofProcess(pid), path.hasPrefix(above + Self.prefix),
            case let name = path.dropFirst(above.count), !name.contains("/")
        else { return nil }
        return ControlGroup(folder: "\(folder)/\(name)")
    }

    private static let prefix = "deployex-"

    /// `deployex-APP-I-` and a number that other base folders do not have: another deployex in the
    /// same group may have an application of that name.
    static func name(marked mark: String) -> String {
        let words = mark.split(separator: "/").suffix(2).joined(separator: "-")
        let safe = words.utf8.prefix(100).map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                Character(UnicodeScalar(byte))
            default: Character("_")
            }
        }
        // FNV-1a: the name must be the same in each life of deployex.
        let number = mark.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { number, byte in
            (number ^ UInt64(byte)) &* 0x0100_0000_01B3
        }
        let digits = String(number, radix: 16)
        return prefix + String(safe) + "-"
            + String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// The control group of one instance. Its calls block as reading `/proc` does.
struct ControlGroup: Equatable, Sendable {
    let folder: String

    private var list: String { folder + "/cgroup.procs" }

    /// Moves a child of ours into the group, which is made if there is none. The child must not
    /// have been reaped, so that its pid is its own.
    func join(_ child: Int32) throws(SystemError) {
        let attempt = "moving a process into the control group \(folder)"
        guard mkdir(folder, 0o755) == 0 || clinux_errno() == EEXIST else { throw .last(attempt) }
        let raw = open(list, O_WRONLY | O_CLOEXEC)
        guard raw >= 0 else { throw .last(attempt) }
        let descriptor = FileDescriptor(owning: raw)
        let text = Array("\(child)".utf8)
        guard write(descriptor.raw, text, text.count) == text.count else { throw .last(attempt) }
    }

    /// As ``join(_:)``; the result is why it failed.
    func problem(joining child: Int32) -> SystemError? {
        do throws(SystemError) {
            try join(child)
            return nil
        } catch {
            return error
        }
    }

    /// The living processes in the group. An EPMD is left out: it serves the whole host. So is this
    /// process.
    func members() -> [ProcessHandle] {
        let opened = pids().compactMap { pid -> ProcessHandle? in
            guard pid != getpid(), let status = ProcessStatus.ofProcess(pid), !status.isZombie,
                status.name != "epmd"
            else { return nil }
            return ProcessHandle(ProcessIdentity(status))
        }
        guard !opened.isEmpty else { return [] }
        // A pid may have been reused before its process was opened. A process that is on the list
        // after that, and has not ended after the list was read, is the one that the list means.
        let again = Set(pids())
        return opened.filter { again.contains($0.identity.pid) && !$0.hasExited }
    }

    /// Removes the group, unless something is still in it.
    func remove() {
        // If it fails, the next start of the instance uses the group again.
        rmdir(folder)
    }

    /// Those of processes in other pid namespaces are 0.
    private func pids() -> [Int32] {
        (ProcFile.read(list, limit: 1 << 20) ?? []).split(separator: UInt8(ascii: "\n"))
            .compactMap { Int32(String(decoding: $0, as: UTF8.self)) }.filter { $0 > 0 }
    }
}
