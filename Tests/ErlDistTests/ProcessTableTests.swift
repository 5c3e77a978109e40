import ExternalTermFormat
import Testing

@testable import ErlDist

@Suite struct ProcessTableTests {
    private let watcher = PID(node: "b@h", id: 9, serial: 0, creation: 1)
    private let reference = Terms.reference

    private func own(_ id: UInt32, serial: UInt32 = 0) -> PID {
        PID(node: "a@h", id: id, serial: serial, creation: 1)
    }

    @Test func `the dead are reported at once, by the name that was asked for`() {
        var table = ProcessTable()
        #expect(
            table.monitor(from: watcher, to: .name("nobody"), reference: reference)
                == .down(
                    from: .name("nobody"), to: watcher, reference: reference,
                    reason: .atom("noproc")))
        #expect(
            table.monitor(from: watcher, to: .pid(own(5)), reference: reference)
                == .down(
                    from: .pid(own(5)), to: watcher, reference: reference, reason: .atom("noproc")))
        #expect(
            table.link(from: watcher, to: own(5))
                == .exit(from: own(5), to: watcher, reason: .atom("noproc"), token: nil))
    }

    @Test func `registered names and group leaders live`() {
        var table = ProcessTable()
        table.register("rex")
        #expect(table.monitor(from: watcher, to: .name("rex"), reference: reference) == nil)
        let leader = own(77, serial: GroupLeader.serial)
        #expect(table.monitor(from: watcher, to: .pid(leader), reference: reference) == nil)
        #expect(table.link(from: watcher, to: leader) == nil)
    }

    @Test func `whoever watches a process hears of its end, once`() {
        var table = ProcessTable()
        let pid = own(table.start())
        #expect(table.monitor(from: watcher, to: .pid(pid), reference: reference) == nil)
        #expect(table.link(from: watcher, to: pid) == nil)
        #expect(
            table.end(pid, reason: .atom("bye")) == [
                .init(
                    node: "b@h",
                    message: .exit(from: pid, to: watcher, reason: .atom("bye"), token: nil)),
                .init(
                    node: "b@h",
                    message: .down(
                        from: .pid(pid), to: watcher, reference: reference, reason: .atom("bye"))),
            ])
        #expect(table.end(pid, reason: .atom("bye")) == [])
        #expect(!table.isAlive(.pid(pid)))
    }

    @Test func `who has taken back a monitor or link hears nothing`() {
        var table = ProcessTable()
        let pid = own(table.start())
        _ = table.monitor(from: watcher, to: .pid(pid), reference: reference)
        _ = table.link(from: watcher, to: pid)
        table.demonitor(.pid(pid), reference: reference)
        table.unlink(from: watcher, to: pid)
        #expect(table.end(pid, reason: .atom("bye")) == [])
    }

    @Test func `a node that is gone is told nothing`() {
        var table = ProcessTable()
        let pid = own(table.start())
        _ = table.monitor(from: watcher, to: .pid(pid), reference: reference)
        _ = table.link(from: watcher, to: pid)
        #expect(table.forgetWatchers(on: "b@h").map(\.linked) == [watcher])
        #expect(table.end(pid, reason: .atom("bye")) == [])
    }

    @Test func `numbers are not used twice`() {
        var table = ProcessTable()
        let first = table.start()
        #expect(table.newID() != first)
        #expect(table.start() != first)
    }

    @Test func `a name is one process's, until it ends or gives it up`() {
        var table = ProcessTable()
        table.register("rex")
        let pid = own(table.start())
        let other = own(table.start())
        #expect(table.register("rex", for: pid.id) == false)
        #expect(table.register("box", for: pid.id) == true)
        #expect(table.register("box", for: other.id) == false)
        #expect(table.unregister("box", of: other.id) == false)
        #expect(table.process(named: "box") == pid.id)
        #expect(table.process(named: "rex") == nil)
        #expect(table.monitor(from: watcher, to: .name("box"), reference: reference) == nil)
        #expect(
            table.end(pid, reason: .atom("bye")) == [
                .init(
                    node: "b@h",
                    message: .down(
                        from: .name("box"), to: watcher, reference: reference, reason: .atom("bye"))
                )
            ])
        #expect(table.register("box", for: other.id) == true)
    }

    @Test func `a monitor by name stays with the process that it found`() {
        var table = ProcessTable()
        let pid = own(table.start())
        let other = own(table.start())
        _ = table.register("box", for: pid.id)
        _ = table.monitor(from: watcher, to: .name("box"), reference: reference)
        _ = table.unregister("box", of: pid.id)
        _ = table.register("box", for: other.id)
        table.demonitor(.name("box"), reference: reference)
        #expect(table.end(pid, reason: .atom("bye")) == [])
        #expect(table.end(other, reason: .atom("bye")) == [])
    }
}
