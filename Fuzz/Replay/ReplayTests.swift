import FoundationEssentials
import Testing

/// Seeds and findings of the fuzz targets, which ``make fuzz`` starts from and adds to.
@Suite(.timeLimit(.minutes(1))) struct ReplayTests {
    /// One input of one target.
    struct Case: CustomTestStringConvertible, Sendable {
        var target: FuzzTarget
        var file: String
        var testDescription: String { file }
    }

    private static let fuzz =
        String(#filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined())

    private static func cases(_ folder: String) -> [Case] {
        FuzzTarget.all.flatMap { target in
            let path = "\(fuzz)/\(folder)/\(target.name)"
            // A target of which nothing was ever found has no folder.
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            return names.sorted().map { Case(target: target, file: "\(path)/\($0)") }
        }
    }

    private func check(_ input: Case) throws {
        let bytes = try Data(contentsOf: URL(filePath: input.file))
        try input.target.check(Array(bytes))
    }

    @Test(arguments: cases("Crashes"))
    func `what was found once is not found again`(finding: Case) throws {
        try check(finding)
    }

    @Test(arguments: cases("Corpus"))
    func `every seed keeps all promises`(seed: Case) throws {
        try check(seed)
    }

    @Test(arguments: FuzzTarget.all)
    func `every target has seeds`(target: FuzzTarget) {
        #expect(Self.cases("Corpus").contains { $0.target.name == target.name })
    }

    @Test(arguments: FuzzTarget.all)
    func `no prefix of a seed is a surprise`(target: FuzzTarget) throws {
        for seed in Self.cases("Corpus") where seed.target.name == target.name {
            let bytes = Array(try Data(contentsOf: URL(filePath: seed.file)).prefix(512))
            for count in bytes.indices { try target.check(Array(bytes.prefix(count))) }
        }
    }
}

extension FuzzTarget: CustomTestStringConvertible {
    var testDescription: String { name }
}
