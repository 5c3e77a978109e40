import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// What another user could put in the place of a log.
@Suite struct LogOpeningTests {
    let folder = TemporaryFolder()
    private var path: String { folder("app-1-stdout.log") }
    private static let stranger: uid_t = 54321

    private func refusal(
        _ body: () throws(FileSystemError) -> Void
    ) -> PathTrustError.Reason? {
        do throws(FileSystemError) {
            try body()
            return nil
        } catch {
            guard case .untrusted(let refusal) = error else { return .system(.last("\(error)")) }
            return refusal.reason
        }
    }

    private func append() -> PathTrustError.Reason? {
        refusal { () throws(FileSystemError) in _ = try LogOpening.append(to: path) }
    }

    private func tail() -> PathTrustError.Reason? {
        refusal { () throws(FileSystemError) in
            _ = try LogFiles.tail(path: path, lines: 3)
        }
    }

    @Test func `a log is made, and appended to with writes that wait`() throws {
        for text in ["a\n", "b\n"] {
            let log = try LogOpening.append(to: path)
            #expect(write(log.raw, text, 2) == 2)
            #expect(fcntl(log.raw, F_GETFL) & (O_APPEND | O_NONBLOCK) == O_APPEND)
            #expect(fcntl(log.raw, F_GETFD) & FD_CLOEXEC == FD_CLOEXEC)
        }
        #expect(folder.text("app-1-stdout.log") == "a\nb\n")
        #expect(tail() == nil)
    }

    @Test func `a link is neither appended to nor shown nor rotated`() throws {
        folder.write("secret\n", "target")
        symlink(folder("target"), path)
        #expect(append() == .link)
        #expect(tail() == .link)
        let error = #expect(throws: FileSystemError.self) { _ = try LogOpening.append(to: path) }
        #expect(
            error?.description
                == "\(path) is a symbolic link, which is not followed here: remove it")
        let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 1)
        #expect(
            try LogRotation(path: path, limits: limits).rotate() == 0)
        #expect(folder.text("target") == "secret\n")
    }

    @Test func `a file with another name is neither appended to nor shown`() throws {
        folder.write("root:x\n", "target")
        link(folder("target"), path)
        #expect(append() == .untrusted(.severalNames(2)))
        #expect(tail() == .untrusted(.severalNames(2)))
        #expect(folder.text("target") == "root:x\n")
        unlink(folder("target"))
        #expect(append() == nil)
    }

    @Test func `what is no file is refused without waiting for it`() {
        mkfifo(path, 0o600)
        #expect(append() == .untrusted(.notAFile(.other)))
        unlink(path)
        mkdir(path, 0o700)
        #expect(append() != nil)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `a stranger's log, and one in his folder, is refused, that of a trusted user is not`()
        throws
    {
        let trusted = TrustedUsers(others: [Self.stranger])
        folder.write("", "app-1-stdout.log")
        chown(path, Self.stranger, Self.stranger)
        #expect(append() == .untrusted(.owner(Self.stranger)))
        #expect(tail() == .untrusted(.owner(Self.stranger)))
        _ = try LogOpening.append(to: path, owners: trusted)
        chown(path, 0, 0)
        chown(folder.path, Self.stranger, Self.stranger)
        #expect(append() == .untrusted(.owner(Self.stranger)))
        _ = try LogOpening.append(to: path, owners: trusted)
    }

    @Test func `our own log does not follow a link that takes its place`() throws {
        let log = FileLog(path: path, limits: LogLimits())
        log.write("one")
        log.flush()
        folder.write("", "target")
        unlink(path)
        symlink(folder("target"), path)
        log.write("two")
        log.flush()
        #expect(folder.text("target") == "")
        unlink(path)
        log.write("three")
        log.flush()
        #expect(folder.text("app-1-stdout.log")?.contains("1 lines could not be written") == true)
        #expect(folder.text("app-1-stdout.log")?.hasSuffix("three\n") == true)
    }

    @Test func `another file in the place of a copy is not freed`() throws {
        let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 9)
        let count = Int(LogLimits.alignment)
        folder.write(String(repeating: "x", count: 3 * count), "app-1-stdout.log")
        folder.write(String(repeating: "k", count: count), "kept")
        let folder = folder
        var rotation = LogRotation(path: path, limits: limits)
        rotation.onStep = { step throws(FileSystemError) in
            guard step == .copyBegun else { return }
            for name in try HostFileSystem().list(folder.path) where name.contains("copying") {
                unlink(folder(name))
                link(folder("kept"), folder(name))
            }
        }
        _ = try? rotation.rotate()
        #expect(folder.text("kept") == String(repeating: "k", count: count))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `crash dumps have a folder of the user's, and it is made in no stranger's`() throws {
        let user = ProcessSettingTests.stranger
        chmod(folder.path, 0o711)
        mkdir(folder("log"), 0o755)
        func owner(_ name: String) -> uid_t? {
            var status = stat()
            return lstat(folder(name), &status) == 0 ? status.st_uid : nil
        }
        // Of somebody else than the one whom the application runs as.
        chown(folder("log"), 54_400, 54_400)
        let logs = LogFiles(root: folder("log"))
        #expect(throws: FileSystemError.self) {
            _ = try logs.prepareCrashDumps(app: "app", user: user)
        }
        #expect(throws: FileSystemError.self) { try logs.prepare(app: "app") }
        #expect(throws: FileSystemError.self) {
            try LogSnapshot.names(folder("log/app-1-stdout.log"), TrustedUsers())
        }
        #expect(try HostFileSystem().list(folder("log")) == [])
        // Trusted, he may keep the logs, and has nothing given away that is not new.
        let trusting = LogFiles(root: folder("log"), owners: TrustedUsers(others: [54_400]))
        mkdir(folder("log/app"), 0o750)
        mkdir(folder("log/app/crash-dumps"), 0o700)
        folder.write("root's", "log/app/crash-dumps/file")
        _ = try trusting.prepareCrashDumps(app: "app", user: user)
        #expect(owner("log/app/crash-dumps") == 0)
        unlink(folder("log/app/crash-dumps/file"))
        #expect(try trusting.prepareCrashDumps(app: "app", user: user) == nil)
        #expect(owner("log/app/crash-dumps") == user.id)
        #expect(owner("log/app") == 0)
        #expect(try trusting.prepareCrashDumps(app: "app", user: user) == nil)
        // A link there is not followed.
        rmdir(folder("log/app/crash-dumps"))
        mkdir(folder("target"), 0o700)
        symlink(folder("target"), folder("log/app/crash-dumps"))
        #expect(throws: FileSystemError.self) {
            _ = try trusting.prepareCrashDumps(app: "app", user: user)
        }
        #expect(owner("target") == 0)
    }
}
