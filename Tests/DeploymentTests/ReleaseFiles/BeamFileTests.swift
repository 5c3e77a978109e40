import ExternalTermFormat
import Supervisor
import TestKit
import Testing

@testable import Deployment

@Suite struct BeamFileTests {
    private static func number(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    private static func table(_ rows: [[Int]]) -> [UInt8] {
        number(rows.count) + rows.flatMap { $0.flatMap(number) }
    }

    private static func atoms(_ names: [String]) -> [UInt8] {
        number(names.count) + names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    }

    private static let names = ["m", "init", "erlang", "load_nif"]

    private static func beam(code: [UInt8] = [0], locals: [[Int]]? = nil) -> [UInt8] {
        SampleBeam.bytes(
            [
                ("AtU8", atoms(names)), ("Code", code), ("ExpT", table([[2, 1, 4]])),
                ("ImpT", table([[3, 4, 2]])),
            ] + (locals.map { [("LocT", table($0))] } ?? []))
    }

    @Test func `names, exports and imports are in their tables`() throws {
        let beam = try BeamFile(Self.beam())
        #expect(try beam.atoms() == Self.names)
        #expect(try beam.exports() == [.init(name: "init", arity: 1)])
        #expect(try beam.imports().map(\.module) == ["erlang"])
        #expect(try beam.imports().map(\.function) == [.init(name: "load_nif", arity: 2)])
        let code = try ModuleCode(Self.beam(), name: "m")
        #expect(code.isNative)
        #expect(code.uses == ["erlang"])
        #expect(!code.hasAttributes)
        #expect(throws: FileSystemError.self) { try ModuleCode(Self.beam(), name: "other") }
    }

    @Test func `since OTP 28 the lengths of atoms are numbers of code`() throws {
        let long = String(repeating: "x", count: 200)
        // -2, a length below 16, and one below 2048.
        let bytes = Self.number(-2) + [1 << 4] + Array("m".utf8) + [0b1000, 200] + Array(long.utf8)
        let beam = try BeamFile(SampleBeam.bytes([("Code", [0]), ("AtU8", bytes)]))
        #expect(try beam.atoms() == ["m", long])
        for wrong in [[UInt8(1 << 4 | 1)], [0b1111_1000, 1], [0b1000], []] {
            let bytes = Self.number(-1) + wrong
            let beam = try BeamFile(SampleBeam.bytes([("Code", [0]), ("AtU8", bytes)]))
            #expect(throws: FileSystemError.self) { try beam.atoms() }
        }
    }

    @Test func `the instruction on_load stands behind the label of a function`() throws {
        func runs(_ code: [UInt8], _ locals: [[Int]]?) throws -> Bool {
            try BeamFile(Self.beam(code: code, locals: locals)).runsWhenLoaded()
        }
        let code: [UInt8] = [9, 1, 6 << 4, 149, 3]
        #expect(try runs(code, [[2, 0, 6]]))
        #expect(try runs(code, nil))
        #expect(try !runs(code, [[2, 1, 6]]))
        #expect(try !runs(code, [[2, 0, 7]]))
        #expect(try !runs([9, 1, 6 << 4, 148], [[2, 0, 6]]))
        #expect(try runs([1, 0b10_1000, 7, 149], [[2, 0, 263]]))
        #expect(try !runs([1], nil))
        #expect(try !runs([1, 6 << 4], nil))
    }

    @Test func `tables that are cut off or lie are errors`() throws {
        let whole = Self.beam(locals: [[2, 0, 6]])
        var random = SeededRandom(seed: 11)
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<3 {
                bytes[Int.random(in: 12..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            _ = try? ModuleCode(bytes, name: "m")
        }
        let missing = try BeamFile(SampleBeam.bytes([("Code", [0])]))
        #expect(throws: FileSystemError.self) { try missing.atoms() }
        let huge = try BeamFile(
            SampleBeam.bytes([
                ("Code", [0]), ("AtU8", Self.atoms(["m"])), ("ExpT", Self.number(1 << 30)),
            ]))
        #expect(throws: FileSystemError.self) { try huge.exports() }
    }
}
