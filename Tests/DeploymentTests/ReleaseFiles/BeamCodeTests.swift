import ExternalTermFormat
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

/// A beam file made of chunks.
enum SampleBeam {
    static func bytes(code: String, debug: String = "") -> [UInt8] {
        bytes([("Code", Array(code.utf8)), ("Dbgi", Array(debug.utf8))])
    }

    static func bytes(_ chunks: [(name: String, content: [UInt8])]) -> [UInt8] {
        func number(_ value: Int) -> [UInt8] {
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
        }
        var body = Array("BEAM".utf8)
        for (name, content) in chunks {
            body += Array(name.utf8) + number(content.count) + content
            body += [UInt8](repeating: 0, count: (4 - content.count % 4) % 4)
        }
        return Array("FOR1".utf8) + number(body.count) + body
    }
}

@Suite struct BeamCodeTests {
    @Test func `code counts, and what a debugger or a person reads does not`() throws {
        let code = try BeamCode(SampleBeam.bytes(code: "1", debug: "a"))
        #expect(try code == BeamCode(SampleBeam.bytes(code: "1", debug: "other")))
        #expect(try code != BeamCode(SampleBeam.bytes(code: "2", debug: "a")))
        for name in ["Atom", "AtU8", "StrT", "ImpT", "ExpT", "FunT", "LitT", "Meta"] {
            let added = SampleBeam.bytes([("Code", [49]), (name, [1, 2, 3])])
            #expect(try code != BeamCode(added), "\(name)")
        }
        for name in ["Docs", "Dbgi", "ExCk", "CInf", "Line", "Attr", "Abst"] {
            let added = SampleBeam.bytes([(name, [1, 2, 3]), ("Code", [49])])
            #expect(try code == BeamCode(added), "\(name)")
        }
    }

    @Test func `of each function the old digest does not count`() throws {
        func table(_ last: UInt8, _ index: UInt8) -> [UInt8] {
            let entry = [UInt8](repeating: 7, count: 19) + [index, last, last, last, last]
            return SampleBeam.bytes([("Code", [1]), ("FunT", [0, 0, 0, 2] + entry + entry)])
        }
        #expect(try BeamCode(table(1, 5)) == BeamCode(table(2, 5)))
        #expect(try BeamCode(table(1, 5)) != BeamCode(table(1, 6)))
        // A table that is cut off stays as it is.
        for count in 0..<30 {
            let odd = SampleBeam.bytes([
                ("Code", [1]), ("FunT", [UInt8](repeating: 9, count: count)),
            ])
            _ = try BeamCode(odd)
        }
    }

    @Test func `the digest is made of the chunks in beam_lib's order`() throws {
        let bytes = SampleBeam.bytes([
            ("LitT", [7]), ("Code", [3]), ("AtU8", [2]), ("ImpT", [5]), ("StrT", [4]),
        ])
        var expected = Digest(.md5)
        expected.update([2, 3, 4, 5, 7])
        #expect(try BeamCode(bytes).digest == expected.value())
    }

    @Test func `a module's behaviours are in its attributes`() throws {
        func behaviours(_ attributes: [UInt8]?) throws(FileSystemError) -> Set<String> {
            let chunks = [("Code", [UInt8(1)])] + (attributes.map { [("Attr", $0)] } ?? [])
            return try BeamFile(SampleBeam.bytes(chunks)).behaviours()
        }
        let attributes: Term = [
            .tuple([.atom("vsn"), [1]]), .tuple([.atom("behaviour"), [.atom("supervisor")]]),
            .tuple([.atom("behavior"), [.atom("Elixir.Supervisor"), 7]]), .atom("odd"),
        ]
        let bytes = attributes.encoded()
        #expect(try behaviours(bytes) == ["supervisor", "Elixir.Supervisor"])
        #expect(try behaviours(nil) == [])
        #expect(try behaviours(Term.atom("odd").encoded()) == [])
        for count in 0..<bytes.count {
            #expect(throws: FileSystemError.self) { try behaviours(Array(bytes.prefix(count))) }
        }
    }

    @Test func `a compressed module is the same module`() throws {
        let plain = SampleBeam.bytes(code: String(repeating: "code", count: 100_000))
        #expect(try BeamCode(gzip(plain)) == BeamCode(plain))
        let bomb = gzip([UInt8](repeating: 0, count: BeamFile.maximumByteCount + 1))
        #expect(throws: FileSystemError.self) { try BeamCode(bomb) }
        #expect(throws: FileSystemError.self) { try BeamCode(Array(gzip(plain).dropLast(3))) }
    }

    @Test func `what is no beam file is an error, wherever it is cut or changed`() {
        let whole = SampleBeam.bytes([
            ("AtU8", [1, 2, 3, 4, 5]), ("Code", Array(repeating: 9, count: 30)), ("LitT", [1]),
        ])
        for count in 0..<whole.count { _ = try? BeamCode(Array(whole.prefix(count))) }
        #expect(throws: FileSystemError.self) { try BeamCode(Array(whole.prefix(40))) }
        #expect(throws: FileSystemError.self) { try BeamCode([]) }
        #expect(throws: FileSystemError.self) { try BeamCode(SampleBeam.bytes([("LitT", [1])])) }
        var random = SeededRandom(seed: 7)
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            _ = try? BeamCode(bytes)
        }
    }
}
