import ExternalTermFormat
import Testing

@testable import ErlDist

/// The rules of "Link Protocol", erl_dist_protocol, one by one.
@Suite struct LinkTableTests {
    private let other = PID(node: "b@h", id: 9, serial: 0, creation: 1)

    @Test func `a link is asked for once and removed once`() {
        var table = LinkTable()
        #expect(table.link(to: other) == true)
        #expect(table.link(to: other) == false)
        #expect(table.active == [other])
        #expect(table.unlink(from: other, number: 1) == true)
        #expect(table.unlink(from: other, number: 2) == false)
        #expect(table.active.isEmpty)
        #expect(table.count == 1)
        table.acknowledgementReceived(from: other, number: 1)
        #expect(table == LinkTable())
    }

    @Test func `an exit that was on its way when the link was removed does not count`() {
        var table = LinkTable()
        _ = table.link(to: other)
        _ = table.unlink(from: other, number: 1)
        #expect(table.exitReceived(from: other) == false)
        #expect(table == LinkTable())
        #expect(table.exitReceived(from: other) == false)
    }

    @Test func `a link from the other side that crossed the removal does not bring it back`() {
        var table = LinkTable()
        _ = table.link(to: other)
        _ = table.unlink(from: other, number: 1)
        table.linkReceived(from: other)
        #expect(table.active.isEmpty)
        table.acknowledgementReceived(from: other, number: 1)
        table.linkReceived(from: other)
        #expect(table.active == [other])
    }

    @Test func `a new link makes an earlier removal's acknowledgement meaningless`() {
        var table = LinkTable()
        _ = table.link(to: other)
        _ = table.unlink(from: other, number: 1)
        #expect(table.link(to: other) == true)
        table.acknowledgementReceived(from: other, number: 1)
        #expect(table.active == [other])
        _ = table.unlink(from: other, number: 2)
        table.acknowledgementReceived(from: other, number: 1)
        #expect(table.count == 1)
        table.acknowledgementReceived(from: other, number: 2)
        #expect(table.count == 0)
    }

    @Test func `the other side's removal leaves one of ours that is not acknowledged alone`() {
        var table = LinkTable()
        table.linkReceived(from: other)
        _ = table.unlink(from: other, number: 7)
        table.unlinkReceived(from: other)
        #expect(table.count == 1)
        table.acknowledgementReceived(from: other, number: 7)
        table.linkReceived(from: other)
        table.unlinkReceived(from: other)
        #expect(table == LinkTable())
    }

    @Test func `a lost connection ends the links over it, and says which were active`() {
        var table = LinkTable()
        let second = PID(node: "b@h", id: 10, serial: 0, creation: 1)
        let elsewhere = PID(node: "c@h", id: 1, serial: 0, creation: 1)
        for pid in [other, second, elsewhere] { _ = table.link(to: pid) }
        _ = table.unlink(from: second, number: 1)
        #expect(table.removeAll(on: "b@h") == [other])
        #expect(table.active == [elsewhere])
        #expect(table.count == 1)
    }
}
