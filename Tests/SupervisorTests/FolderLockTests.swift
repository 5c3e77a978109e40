import Glibc
import TestKit
import Testing

@testable import Supervisor

@Suite struct FolderLockTests {
    @Test func `a folder is held once, by name, and free again afterwards`() throws {
        let folder = TemporaryFolder()
        func take() throws(FolderLock.Failure) -> FolderLock {
            try FolderLock(folder: folder.path)
        }
        var first: FolderLock? = try take()
        withExtendedLifetime(first) {
            let held = FolderLock.Failure.held(folder: folder.path, pid: getpid())
            #expect(throws: held) { try take() }
        }
        first = nil
        #expect(throws: Never.self) { try take() }
    }

    @Test func `a folder that is not there is an error that names it`() {
        let error = #expect(throws: FolderLock.Failure.self) {
            try FolderLock(folder: "/nonexistent/folder")
        }
        #expect("\(error as Any)".contains("/nonexistent/folder/deployex.lock"))
    }
}
