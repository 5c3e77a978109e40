import ExternalTermFormat
import Testing

@Suite struct TermConvertibleTests {
    private func roundTrip<Value: TermConvertible & Equatable>(_ value: Value, _ text: String) {
        #expect("\(value.term)" == text)
        #expect((try? value.term.converted(to: Value.self)) == value)
    }

    @Test func `the usual types have the terms that Erlang programmers expect`() {
        roundTrip(-5, "-5")
        roundTrip(UInt64.max, "18446744073709551615")
        roundTrip(Int64.min, "-9223372036854775808")
        roundTrip(2.5, "2.5")
        roundTrip(true, "true")
        roundTrip("hi", "<<\"hi\">>")
        roundTrip(Atom("ok"), "ok")
        roundTrip([1000, 2], "[1000,2]")
        roundTrip(["a": 1], "#{<<\"a\">> => 1}")
        roundTrip([Int?.none, 1000], "[undefined,1000]")
    }

    @Test func `what a peer may write instead is read too`() throws {
        #expect(try Term.charlist("hé").converted(to: String.self) == "hé")
        #expect(try Term.integer(3).converted(to: Double.self) == 3)
        #expect(try Term.atom(.nil).converted(to: Int?.self) == nil)
    }

    @Test func `an integer that does not fit is refused`() {
        #expect(
            throws: TermConversionError(expected: "an integer from 0 to 255", found: 256)
        ) { try Term.integer(256).converted(to: UInt8.self) }
        #expect(throws: TermConversionError.self) {
            try UInt64.max.term.converted(to: Int.self)
        }
        #expect(throws: TermConversionError.self) { try Term.float(1).converted(to: Int.self) }
    }

    @Test func `an error says where it is`() {
        let term = Term.map([.binary("ages"): [1, .atom("old")]])
        do throws(TermConversionError) {
            let ages: [String: [Int]] = try term.converted()
            Issue.record("\(ages)")
        } catch {
            #expect(error.path == [.binary("ages"), 1])
            #expect(error.found == .atom("old"))
            #expect(error.description.contains("at [<<\"ages\">>, 1], found old"))
        }
    }

    @Test func `two keys that are one in Swift are refused`() {
        let map = Term.map([.binary("a"): 1, .charlist("a"): 2])
        #expect(throws: TermConversionError.self) { try map.converted(to: [String: Int].self) }
    }
}
