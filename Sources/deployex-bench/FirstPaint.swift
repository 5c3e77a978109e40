internal import Browser
internal import TestKit

/// How soon a headless Chromium shows the first text of the dashboard.
enum FirstPaint {
    private static let loadCount = 9

    /// In milliseconds after the navigation began; `nil` where there is no Chromium.
    static func measure(_ url: String) async throws -> [Double]? {
        guard (try? ThisHost.find("chromedriver")) != nil else { return nil }
        return try await Browser.run { browser in
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
            return Array(times.dropFirst())
        }
    }
}
