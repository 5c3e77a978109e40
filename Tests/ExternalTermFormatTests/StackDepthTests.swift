import Dispatch
import ExternalTermFormat
import Foundation
import Testing

/// Everything that recurses over a term, on a thread with a stack of 512 KiB, at the default depth. In a debug
/// build with the address sanitizer frames are largest.
@Suite struct StackDepthTests {
    static let depth = DecodingLimits.default.maximumDepth

    /// One container around a term, and how text writes it.
    enum Shape: CaseIterable {
        case list, tuple, mapKey, mapValue, improperHead, improperTail, fun, record

        func wrap(_ inner: Term) -> Term {
            switch self {
            case .list: .list([inner, .atom("x")])
            case .tuple: .tuple([inner])
            case .mapKey: .map(TermMap([(key: .atom("a"), value: 1), (key: inner, value: 1)]))
            case .mapValue: .map(TermMap([(key: .atom("a"), value: inner)]))
            case .improperHead: .improperList([inner], 1)
            case .improperTail: .improperList([1], .tuple([inner]))
            case .record:
                .record(Record(module: "m", name: "r", keys: ["k"], values: [inner]))
            case .fun:
                .fun(
                    Fun(
                        arity: 1, uniq: Array(0..<16), index: 2, module: "m", oldIndex: 3,
                        oldUniq: 4,
                        pid: Sample.pid, freeVariables: [inner]))
            }
        }

        /// How many levels one wrapping adds.
        var levels: Int { self == .improperTail ? 2 : 1 }
    }

    @Test(arguments: Shape.allCases)
    func `the deepest term that is decoded can be used and released`(shape: Shape) {
        let outcome = onSmallStack {
            let nested = (0..<Self.depth / shape.levels).reduce(Term.integer(0)) { term, _ in
                shape.wrap(term)
            }
            let bytes = nested.encoded()
            let decoded = try Term(decoding: bytes)
            let again = try Term(decoding: bytes)
            guard decoded == again, decoded.hashValue == again.hashValue else { return "unequal" }
            guard decoded.encoded() == bytes else { return "other bytes" }
            _ = decoded.asText
            _ = decoded.asBytes
            let text = decoded.description
            if ![.fun, .record].contains(shape), try Term(text: text) != decoded {
                return "other text"
            }
            let deeper = shape.wrap(decoded).encoded()
            guard (try? Term(decoding: deeper)) == nil else { return "no limit" }
            return "fine"
        }
        #expect(outcome == "fine")
    }

    @Test func `the deepest text is read`() {
        let outcome = onSmallStack {
            for (open, close) in [
                ("[", "]"), ("{", "}"), ("#{1=>", "}"), ("(", ")"), ("#{", "=>1}"),
            ] {
                let count = TextLimits.default.maximumDepth
                let text =
                    "\(String(repeating: open, count: count))1\(String(repeating: close, count: count))"
                _ = try Term(text: text)
            }
            let binaries = TextLimits.default.maximumDepth
            let text =
                String(repeating: "<<", count: binaries)
                + String(repeating: ">>/binary", count: binaries)
            _ = try? Term(text: text)
            return "fine"
        }
        #expect(outcome == "fine")
    }
}

/// What the body returns, or the error it throws, on a thread whose stack is that small.
private func onSmallStack(_ body: @escaping @Sendable () throws -> String) -> String {
    final class Outcome: Sendable {
        // Written by the thread before it signals, read by the waiting test after.
        nonisolated(unsafe) var text = ""
    }
    let outcome = Outcome()
    let isDone = DispatchSemaphore(value: 0)
    let thread = Thread {
        do { outcome.text = try body() } catch { outcome.text = "\(error)" }
        isDone.signal()
    }
    thread.stackSize = 512 * 1024
    thread.start()
    isDone.wait()
    return outcome.text
}
