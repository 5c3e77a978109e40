import ExternalTermFormat
import Testing

@testable import deployex

@Suite struct RemoteCallTests {
    @Test(
        arguments: [
            ("lists", "lists"), ("'foo-bar'", "foo-bar"), ("foo-bar", "foo-bar"),
            (#"'it\'s'"#, "it's"), (#"'\x{3a9}'"#, "Ω"), ("''", ""), ("Counter", "Elixir.Counter"),
            ("Counter.Server", "Elixir.Counter.Server"), ("Elixir.A", "Elixir.A"),
            ("'Counter'", "Counter"), ("handle info", "handle info"),
        ])
    func `a module is read as it is, or in quotes`(text: String, name: String) throws {
        #expect(try RemoteCall.module(text).name == name)
    }

    @Test(
        arguments: [
            ("+", "+"), ("'foo-bar'", "foo-bar"), ("Foo", "Foo"), ("'A b'", "A b"),
            (String(repeating: "é", count: 255), String(repeating: "é", count: 255)),
        ])
    func `a function is read as it is, or in quotes`(text: String, name: String) throws {
        #expect(try RemoteCall.atom(text, "FUNCTION").name == name)
    }

    @Test(arguments: ["'", "'a", "'a'b'", "'a','b'", "'a' ", "'\\x{110000}'"])
    func `quotes that are no atom are an error of usage`(text: String) {
        #expect(throws: UsageError.self) { try RemoteCall.atom(text, "FUNCTION") }
    }

    @Test(arguments: [256, 70_000])
    func `a name that is too long for an atom is an error of usage`(count: Int) {
        let long = String(repeating: "a", count: count)
        let error = UsageError("FUNCTION has at most 255 characters, not \(count)", "rpc")
        #expect(throws: error) { try RemoteCall.atom(long, "FUNCTION") }
        #expect(throws: UsageError.self) { try RemoteCall.module(long) }
        #expect(throws: UsageError.self) { try RemoteCall.module("'\(long)'") }
    }
}
