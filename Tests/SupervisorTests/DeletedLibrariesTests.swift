import FoundationEssentials
import Glibc
import TestKit
import Testing

@testable import Supervisor

@Suite struct DeletedLibrariesTests {
    @Test func `code of files without a name is told, and nothing else`() {
        let maps = """
            7f00-7f01 r--p 00000000 fe:00 11 /usr/lib/libssl.so.3 (deleted)
            7f01-7f02 r-xp 00001000 fe:00 11    /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)
            7f02-7f03 r-xp 00001000 fe:00 12 /usr/lib/libc.so.6
            7f03-7f04 r-xp 00001000 fe:00 13 /srv/a b/priv/nif.so (deleted)
            7f04-7f05 rwxs 00000000 00:01 14 /memfd:vmem (deleted)
            7f05-7f06 rwxp 00000000 00:05 15 /dev/zero (deleted)
            7f06-7f07 r-xp 00000000 fe:00 11 /usr/lib/libssl.so.3 (deleted)
            7f07-7f08 r--p 00000000 fe:00 16 /usr/lib/libdata.so.1 (deleted)
            7ffe-7fff r-xp 00000000 00:00 0 [vdso]
             (deleted)
            """
        #expect(DeletedLibraries.names(in: maps) == ["libssl.so.3", "nif.so"])
        #expect(DeletedLibraries.names(in: maps, exceptIn: "/srv/a b") == ["libssl.so.3"])
        #expect(DeletedLibraries.names(in: "") == [])
        let many = (0..<50).map { "1-2 r-xp 0 0 1 /l\($0).so (deleted)" }.joined(separator: "\n")
        #expect(DeletedLibraries.names(in: many).count == DeletedLibraries.maximumCount)
    }

    @Test func `a process that runs a removed library is seen`() throws {
        let folder = TemporaryFolder()
        let library = folder.path + "/libtrial.so.1"
        let descriptor = open(library, O_RDWR | O_CREAT | O_CLOEXEC, 0o755)
        try #require(descriptor >= 0 && ftruncate(descriptor, 4096) == 0)
        let memory = mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, descriptor, 0)
        try #require(memory != MAP_FAILED)
        defer { munmap(memory, 4096) }
        close(descriptor)
        #expect(!DeletedLibraries.of(getpid()).contains("libtrial.so.1"))
        try #require(unlink(library) == 0)
        #expect(DeletedLibraries.of(getpid()).contains("libtrial.so.1"))
    }

    @Test func `a process that is not there has none`() {
        #expect(DeletedLibraries.of(0x7fff_fff0) == [])
    }
}
