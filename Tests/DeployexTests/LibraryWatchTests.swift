import Glibc
import Supervisor
import Testing
import Transport

@testable import deployex

@Suite struct LibraryWatchTests {
    @Test func `each process is looked at once in the interval, and only while it is the same`()
        async throws
    {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let looked = Guarded<[Int32]>([])
        func watch(_ interval: Duration) -> LibraryWatch {
            LibraryWatch(loop: loop, interval: interval) { pid, folder in
                looked.withLock { $0.append(pid) }
                return folder == "/srv" ? ["libssl.so.3"] : []
            }
        }
        let own = try #require(ProcessIdentity.ofRunning(pid: getpid()))
        var gone = own
        gone.startTicks += 1
        let seldom = watch(.seconds(3_600))
        #expect(await seldom.libraries(of: [own: "/srv", gone: "/srv"]) == [own: ["libssl.so.3"]])
        #expect(await seldom.libraries(of: [own: "/srv"]) == [own: ["libssl.so.3"]])
        #expect(looked.withLock { $0 } == [own.pid])
        #expect(await seldom.libraries(of: [:]) == [:])
        let often = watch(.zero)
        for _ in 1...2 { #expect(await often.libraries(of: [own: "/other"]) == [:]) }
        #expect(looked.withLock { $0 } == [own.pid, own.pid, own.pid])
    }
}
