import Browser
import TestKit
import Testing

/// The dashboard's modules that know no page, tested where they run: in a browser. The tests
/// themselves are in `Modules`.
@Suite(.timeLimit(.minutes(5))) struct ModuleTests {
    private struct Outcome: Codable, Sendable {
        var count: Int
        var failures: [String]
    }

    static let files = Files.names("\(BuiltProgram.root)/Tests/BrowserTests/Modules")
        .filter { $0.hasSuffix(".test.js") }

    @Test func `every module test passes`() async throws {
        #expect(Self.files.count >= 4)
        let site = try await AssetSite.start()
        try await attempt {
            try await Browser.run { browser in
                for file in Self.files {
                    // A page of its own, in which nothing runs by itself.
                    try await browser.open(site.url("tests/blank"))
                    let outcome: Outcome = try await browser.evaluate(
                        """
                        await import(given[0]);
                        const { run } = await import("/tests/harness.js");
                        return await run();
                        """, ["/tests/\(file)"])
                    #expect(outcome.failures == [], "\(file)")
                    #expect(outcome.count > 0, "\(file)")
                    #expect(try await browser.complaints() == [], "\(file)")
                }
            }
        } thenAlways: {
            await site.stop()
        }
    }
}
