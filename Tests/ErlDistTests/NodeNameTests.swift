import ExternalTermFormat
import Testing

@testable import ErlDist

@Suite struct NodeNameTests {
    @Test func `a name is alive, host and perhaps a port`() throws {
        let plain = try NodeName("app-1@host")
        #expect((plain.alive, plain.host, plain.port) == ("app-1", "host", nil))
        #expect(plain.description == "app-1@host")
        #expect(!plain.isLong)
        let fixed = try NodeName("app@host.example.com:9100")
        #expect((fixed.host, fixed.port) == ("host.example.com", 9100))
        #expect(fixed.description == "app@host.example.com:9100")
        #expect(fixed.text == "app@host.example.com")
        #expect(fixed.atom.name == "app@host.example.com")
        #expect(fixed.isLong)
    }

    @Test func `addresses may be hosts, in brackets when a port follows`() throws {
        #expect(try NodeName("a@127.0.0.1:80").host == "127.0.0.1")
        #expect(try NodeName("a@::1").host == "::1")
        let bracketed = try NodeName("a@[::1]:80")
        #expect((bracketed.host, bracketed.port) == ("::1", 80))
        #expect(bracketed.description == "a@[::1]:80")
        #expect(try NodeName("a@[::1]").port == nil)
    }

    @Test(arguments: [
        ("", NodeNameError.missingHost), ("app", .missingHost), ("@host", .missingAlive),
        ("app@", .missingHost), ("a b@h", .unexpectedCharacter(" ")),
        ("a@h@i", .unexpectedCharacter("@")), ("a/b@h", .unexpectedCharacter("/")),
        ("a@h:", .invalidPort("")), ("a@h:0", .invalidPort("0")), ("a@h:x", .invalidPort("x")),
        ("a@h:70000", .invalidPort("70000")), ("a@h:+80", .invalidPort("+80")),
        ("a@[::1", .unexpectedCharacter("[")), ("a\n@h", .unexpectedCharacter("\n")),
        ("a\u{9B}31m@h", .unexpectedCharacter("\u{9B}")),
    ])
    func `what is not a name is refused with the reason`(text: String, error: NodeNameError) {
        #expect(throws: error) { try NodeName(text) }
    }

    @Test func `a name has at most as many characters as an atom`() throws {
        let longest = String(repeating: "a", count: 253) + "@h"
        #expect(try NodeName(longest).text == longest)
        #expect(throws: NodeNameError.tooLong(characterCount: 256)) {
            try NodeName("a" + longest)
        }
    }
}

@Suite struct DistributionFlagsTests {
    @Test func `the sets have the values that nodes demand`() {
        #expect(DistributionFlags.mandatory25.rawValue == 0x0107_0F94)
        #expect(DistributionFlags.mandatory26.rawValue == 0x4_0307_0F94)
        #expect(DistributionFlags.mandatory25Digest.rawValue == 0x0400_0000)
        #expect(DistributionFlags.spawn.rawValue == 0x1_0000_0000)
        #expect(DistributionFlags.nameMe.rawValue == 0x2_0000_0000)
        #expect(DistributionFlags.alias.rawValue == 0x8_0000_0000)
    }

    @Test func `we are hidden and have no atom cache unless asked`() {
        #expect(DistributionFlags.standard.isDisjoint(with: [.published, .headerAtomCache]))
        #expect(DistributionFlags.standard.isSuperset(of: .mandatory26))
    }

    @Test func `flags are named as OTP spells them`() {
        let flags: DistributionFlags = [.spawn, .fragments, DistributionFlags(rawValue: 1 << 60)]
        #expect(flags.names == ["FRAGMENTS", "SPAWN", "0x1000000000000000"])
    }
}
