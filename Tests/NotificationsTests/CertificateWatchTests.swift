import FoundationEssentials
import Testing

@testable import Notifications

@Suite struct CertificateWatchTests {
    private let day: Int64 = 86_400

    /// What is told of a certificate that is good from `begin` to `expiry`, both in days.
    private func told(
        _ watch: inout CertificateWatch, _ begin: Int64, _ expiry: Int64, on now: Int64
    ) -> NotificationEvent.Kind? {
        watch.looked(
            at: "/c.pem", begin: begin * day, expiry: expiry * day, "some day", host: "h",
            now: now * day)?.kind
    }

    @Test func `a certificate of a year is told once two weeks before its end, and once after it`()
    {
        var watch = CertificateWatch()
        #expect(told(&watch, 0, 365, on: 351) == nil)
        #expect(told(&watch, 0, 365, on: 352) == .certificateExpiring)
        #expect(told(&watch, 0, 365, on: 353) == nil)
        #expect(told(&watch, 0, 365, on: 365) == .certificateExpiring)
        #expect(told(&watch, 0, 365, on: 366) == nil)
        #expect(told(&watch, 366, 731, on: 367) == .certificateRenewed)
        #expect(told(&watch, 366, 731, on: 368) == nil)
    }

    @Test func `one that is good for days only is told in the last third of its life`() {
        typealias Stage = CertificateWatch.Stage
        func stage(_ hours: Int64) -> Stage {
            CertificateWatch.stage(begin: 0, expiry: 24 * 3_600, now: hours * 3_600)
        }
        #expect([0, 16, 17, 23, 24].map(stage) == [.good, .good, .expiring, .expiring, .expired])
        #expect(CertificateWatch.stage(begin: 0, expiry: 90 * day, now: 75 * day) == .good)
    }

    @Test func `what was told is remembered on disk, and forgotten with its file`() throws {
        var watch = CertificateWatch()
        #expect(told(&watch, 0, 365, on: 360) == .certificateExpiring)
        var next = try JSONDecoder().decode(
            CertificateWatch.self, from: JSONEncoder().encode(watch))
        next.keep(["/c.pem"])
        #expect(told(&next, 0, 365, on: 361) == nil)
        // Another one in its place that has as little left is another certificate.
        #expect(told(&next, 0, 370, on: 361) == .certificateExpiring)
        next.keep([])
        #expect(told(&next, 0, 370, on: 362) == .certificateExpiring)
    }
}
