import Browser
import TestKit

/// Prints how soon a headless Chromium shows the first text of a page, in milliseconds after each
/// navigation began. It is a program of its own: the bench measures nodes that have no use for what
/// a browser needs.
///
///     first-paint URL
@main
struct FirstPaint {
    private static let loadCount = 9

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 2 else { throw TestFailure("usage: first-paint URL") }
        let url = arguments[1]
        let times = try await Browser.run { browser in
            var times: [Double] = []
            for _ in 0...loadCount {
                try await browser.open(url)
                times.append(
                    try await browser.evaluate(
                        """
                        while (true) {
                            const paint = performance.getEntriesByName("first-contentful-paint")[0];
                            if (paint) return paint.startTime;
                            await new Promise((done) => setTimeout(done, 5));
                        }
                        """))
            }
            // The browser's own start is not ours.
            return times.dropFirst()
        }
        for time in times { print(time) }
    }
}
