import ExternalTermFormat
import Supervisor
import Testing
import Transport

@testable import Deployment

@Suite struct HostFiguresTests {
    @Test func `memory is read from meminfo`() throws {
        let text = "MemTotal:  16000 kB\nMemFree:  1000 kB\nMemAvailable:   12000 kB\nHuge: 0\n"
        let memory = try #require(HostMemory(parsing: text))
        #expect(memory.totalByteCount == 16000 << 10)
        #expect(memory.availableByteCount == 12000 << 10)
        #expect(memory.usedPercent == 25)
    }

    @Test func `an old kernel's available memory is what is free or can be given up`() throws {
        let text = "MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 20 kB\n"
        #expect(HostMemory(parsing: text)?.availableByteCount == 35 << 10)
        #expect(HostMemory(parsing: "MemFree: 10 kB\n") == nil)
        #expect(HostMemory(parsing: "MemTotal: 99999999999999999999 kB\n") == nil)
        #expect(HostMemory(parsing: "MemTotal: 0 kB\n") == nil)
    }

    @Test func `processors are busy with all but idling and waiting for disks`() throws {
        let before = try #require(
            ProcessorTimes(parsing: "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4\n"))
        #expect(before == ProcessorTimes(parsing: "cpu  100 0 100 700 100"))
        let after = try #require(ProcessorTimes(parsing: "cpu  150 10 110 720 110 2 3 5 99 99\n"))
        #expect(after.busyPercent(since: before) == 72.7)
        #expect(before.busyPercent(since: before) == nil)
        #expect(before.busyPercent(since: after) == nil)
    }

    @Test(arguments: ["", "cpu", "cpu 1 2 3", "cpu 1 2 x 4", "cpu0 1 2 3 4", "intr 1 2 3 4"])
    func `times that are not there are not invented`(_ text: String) {
        #expect(ProcessorTimes(parsing: text) == nil)
    }

    @Test func `load, uptime and own memory are read`() {
        #expect(HostLook.load(parsing: "0.20 0.18 12.5 1/80 11206\n") == [0.2, 0.18, 12.5])
        #expect(HostLook.load(parsing: "0.20 inf 0.12 1/80 11206\n") == [])
        #expect(HostLook.load(parsing: "") == [])
        #expect(HostLook.uptime(parsing: "350735.47 234388.90\n") == 350_735)
        #expect(HostLook.uptime(parsing: "1e300 1\n") == nil)
        #expect(HostLook.resident(parsing: "100 7 3", pageByteCount: 4096) == 28_672)
        #expect(HostLook.resident(parsing: "1 9223372036854775807", pageByteCount: 4096) == nil)
    }

    @Test func `this host tells all of it`() {
        let first = HostLook.ofHost(disk: "/")
        let figures = first.figures(since: nil)
        #expect(figures?.processorPercent == nil)
        #expect(figures?.load.count == 3)
        #expect((figures?.memory.availableByteCount ?? 0) > 0)
        #expect((figures?.disk?.totalByteCount ?? 0) > 0)
        #expect((figures?.uptimeSeconds ?? 0) > 0)
        #expect((figures?.ownByteCount ?? 0) > 0)
        #expect(HostLook.ofHost(disk: "/there is no such folder").disk == nil)
        #expect(HostReport.ofSystem().contains("Linux"))
    }

    @Test func `a host that tells nothing is shown without figures`() {
        let report = HostReport(
            name: "h", system: "Linux", processorCount: 1,
            figures: HostLook(seconds: 1, load: []).figures(since: nil),
            deployex: .init(version: "1", node: "d@h", usesTLS: false, uptimeSeconds: 2, pid: 3))
        #expect(report.term["memory"] == .null)
        #expect(report.term["disk"] == .null)
        #expect(report.term["deployex"]?["memory_bytes"] == .null)
    }
}

@Suite(.timeLimit(.minutes(1))) struct HostSamplerTests {
    private func onLoop(
        _ body: @escaping @Sendable (ObservationFeed) async throws -> Void
    ) async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        try await Task(executorPreference: loop) {
            try await body(ObservationFeed(loop: loop))
        }.value
    }

    @Test func `it looks while somebody observes, and no longer`() async throws {
        try await onLoop { feed in
            let looks = Guarded(0)
            let sampler = HostSampler(
                feed: feed, interval: .milliseconds(5), patience: .milliseconds(20)
            ) {
                looks.withLock { $0 += 1 }
                return HostLook.ofHost(disk: "/")
            }
            #expect(await !sampler.isMeasuring)
            await sampler.begin()
            var seen = 0
            // A change may be of several looks.
            while looks.withLock({ $0 < 3 }) {
                await sampler.begin()
                seen = try await feed.change(
                    of: [.host], after: seen, by: "a", within: .seconds(20))
            }
            while await sampler.isMeasuring { try await Task.sleep(for: .milliseconds(1)) }
            let count = looks.withLock { $0 }
            #expect(await feed.revision(of: [.host]) == count)
        }
    }

    @Test func `who asks once gets the processors' use, too`() async throws {
        try await onLoop { feed in
            let ticks = Guarded(0)
            let sampler = HostSampler(feed: feed) {
                let now = ticks.withLock {
                    $0 += 100
                    return $0
                }
                var look = HostLook.ofHost(disk: "/")
                look.times = ProcessorTimes(parsing: "cpu \(now) 0 0 \(now)")
                return look
            }
            #expect(await sampler.current()?.processorPercent == 50)
            #expect(await !sampler.isMeasuring)
            #expect(ticks.withLock { $0 } == 200)
        }
    }
}
