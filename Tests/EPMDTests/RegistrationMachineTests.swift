import Testing
import Transport

@testable import EPMD

@Suite struct RegistrationMachineTests {
    private let request: [UInt8] = [0, 14, 120, 0, 1, 72, 0, 0, 6, 0, 5, 0, 1, 97, 0, 0]
    private let reply: [UInt8] = [118, 0, 0, 0, 1, 2]
    private let duplicate = EPMDError.duplicateName(name: "a", address: .loopback(port: 7))
    private let refused = EPMDError.unreachable(
        attempt: "registering `a` with EPMD at 127.0.0.1:7", reason: "connection refused")

    private func machine() throws -> RegistrationMachine {
        try RegistrationMachine(
            EPMDNodeInfo(name: "a", port: 1), at: .loopback(port: 7), timeout: .seconds(5),
            retryDelay: .seconds(2))
    }

    private func registered() throws -> RegistrationMachine {
        var machine = try machine()
        _ = machine.start(persistently: false)
        _ = machine.connected()
        _ = machine.received(reply)
        return machine
    }

    @Test func `a registration: connect, ask, hold`() throws {
        var machine = try machine()
        #expect(machine.start(persistently: false) == [.setTimer(.seconds(5)), .connect])
        #expect(machine.connected() == [.send(request)])
        for byte in reply.dropLast() { #expect(machine.received([byte]) == []) }
        #expect(
            machine.received(reply.suffix(1)) == [
                .cancelTimer, .report(.registered(creation: 0x102)),
            ])
        #expect(machine.creation == 0x102)
        #expect(machine.received([1, 2, 3]) == [])
        #expect(machine.start(persistently: true) == [])
    }

    @Test func `a loss is reported, and followed by attempts for ever`() throws {
        var machine = try registered()
        let lost = EPMDError.unreachable(
            attempt: "holding the registration of `a` with EPMD at 127.0.0.1:7",
            reason: "the peer closed the connection")
        #expect(
            machine.connectionEnded(reason: "the peer closed the connection") == [
                .disconnect, .setTimer(.seconds(2)), .report(.lost(lost)),
            ])
        #expect(machine.creation == nil)
        for _ in 0..<100 {
            #expect(machine.timerFired() == [.setTimer(.seconds(5)), .connect])
            #expect(
                machine.connectFailed(refused) == [
                    .disconnect, .setTimer(.seconds(2)), .report(.failed(refused)),
                ])
        }
        _ = machine.timerFired()
        _ = machine.connected()
        #expect(
            machine.received([118, 0, 0, 0, 1, 3]) == [
                .cancelTimer, .report(.registered(creation: 0x103)),
            ])
    }

    @Test func `a first attempt that fails is over, and may be made again`() throws {
        var machine = try machine()
        for _ in 0..<2 {
            #expect(machine.start(persistently: false) == [.setTimer(.seconds(5)), .connect])
            #expect(
                machine.connectFailed(refused) == [
                    .cancelTimer, .disconnect, .report(.failed(refused)),
                ])
        }
    }

    @Test func `a name in use is an error of its own`() throws {
        var machine = try machine()
        _ = machine.start(persistently: false)
        _ = machine.connected()
        #expect(
            machine.received([118, 1, 0, 0, 0, 99]) == [
                .cancelTimer, .disconnect, .report(.failed(duplicate)),
            ])
    }

    @Test func `a name in use after a loss is tried again: the daemon may still hold our old one`()
        throws
    {
        var machine = try registered()
        _ = machine.connectionEnded(reason: "x")
        _ = machine.timerFired()
        _ = machine.connected()
        #expect(
            machine.received([121, 1, 0, 99]) == [
                .disconnect, .setTimer(.seconds(2)), .report(.failed(duplicate)),
            ])
    }

    @Test func `a daemon that does not answer, or something else, is given up`() throws {
        let attempt = "registering `a` with EPMD at 127.0.0.1:7"
        var silent = try machine()
        _ = silent.start(persistently: true)
        _ = silent.connected()
        #expect(
            silent.timerFired() == [
                .disconnect, .setTimer(.seconds(2)),
                .report(.failed(.timedOut(attempt: attempt, after: .seconds(5)))),
            ])
        var other = try machine()
        _ = other.start(persistently: true)
        _ = other.connected()
        #expect(
            other.received([72]) == [
                .disconnect, .setTimer(.seconds(2)),
                .report(.failed(.badReply(attempt: attempt, .unexpectedCode(72)))),
            ])
    }

    @Test func `after stop nothing happens any more`() throws {
        var machine = try registered()
        #expect(machine.stop() == [.cancelTimer, .disconnect])
        #expect(machine.stop() == [])
        #expect(machine.timerFired() == [])
        #expect(machine.received(reply) == [])
        #expect(machine.connectionEnded(reason: "x") == [])
        #expect(machine.connected() == [.disconnect])
        #expect(machine.start(persistently: true) == [])
    }

    @Test func `errors say what was attempted`() {
        #expect(
            refused.description
                == "registering `a` with EPMD at 127.0.0.1:7: connection refused")
        #expect(
            duplicate.description
                == "registering `a` with EPMD at 127.0.0.1:7: the name is already in use")
        #expect(
            EPMDError.timedOut(attempt: "x", after: .milliseconds(1500)).description
                == "x: no answer within 1.5 s")
    }
}

@Suite struct EPMDEnvironmentTests {
    @Test func `the port is that of the environment, or 4369`() throws {
        #expect(try EPMDEnvironment.clientAddress([:]) == .loopback(port: 4369))
        #expect(try EPMDEnvironment.port(["ERL_EPMD_PORT": "5000"]) == 5000)
        for value in ["0", "65536", "-1", "x", " 1"] {
            let error = EPMDError.badSetting(variable: "ERL_EPMD_PORT", value: value)
            #expect(throws: error) { try EPMDEnvironment.port(["ERL_EPMD_PORT": value]) }
        }
    }

    @Test func `a daemon listens everywhere, or where the environment says and on loopback`() throws
    {
        let two = ["ERL_EPMD_ADDRESS": "10.0.0.1, ::1", "ERL_EPMD_PORT": "5"]
        #expect(try EPMDEnvironment.daemonAddresses([:]) == [.any(port: 4369)])
        #expect(
            try EPMDEnvironment.daemonAddresses(two).map(\.description)
                == ["10.0.0.1:5", "[::1]:5", "127.0.0.1:5"])
        #expect(
            try EPMDEnvironment.daemonAddresses(["ERL_EPMD_ADDRESS": "127.0.0.1,127.0.0.1"])
                == [.loopback(port: 4369)])
        let others = [
            ("", ["[::]:4369"]), ("127.0.0.1", ["[::1]:4369"]), ("10.0.0.1 ::1", []),
            ("10.0.0.1 ::", []),
        ]
        for (text, expected) in others {
            let named = try EPMDEnvironment.daemonAddresses(["ERL_EPMD_ADDRESS": text])
            #expect(
                EPMDEnvironment.daemonAddressesOfIPv6(beside: named).map(\.description)
                    == expected)
        }
        #expect(throws: EPMDError.badSetting(variable: "ERL_EPMD_ADDRESS", value: "host")) {
            try EPMDEnvironment.daemonAddresses(["ERL_EPMD_ADDRESS": "host"])
        }
    }
}
