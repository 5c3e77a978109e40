import Glibc
import Testing

@testable import Transport

@Suite struct DescriptorLimitTests {
    @Test(
        arguments: [
            (256, 64), (1024, 256), (65_536, 256), (16, 8), (UInt64.max, 256),
        ] as [(UInt64, Int)])
    func `of few descriptors a quarter at most is for connections of one kind`(
        current: UInt64, count: Int
    ) {
        let limit = DescriptorLimit(current: current)
        #expect(limit.connectionCount(wanted: 256) == count)
    }

    @Test func `the soft limit becomes the hard one`() {
        let raised = DescriptorLimit.raised
        var limit = rlimit()
        #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        #expect(UInt64(limit.rlim_cur) == raised.current)
        #expect(raised.current == UInt64(limit.rlim_max) || raised.current >= 65_536)
    }

    @Test(arguments: [(1024, 1000), (1_048_576, 1000), (256, 232), (10, 8)] as [(UInt64, Int)])
    func `an EPMD keeps some descriptors for looking up who registers`(current: UInt64, count: Int)
    {
        #expect(DescriptorLimit(current: current).connectionCount(ofServer: 1000) == count)
    }
}
