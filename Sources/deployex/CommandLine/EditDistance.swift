/// How many letters must be changed, added or left out to make one text of another. It finds what a
/// mistyped word was meant to be.
enum EditDistance {
    static func between(_ first: String, _ second: String) -> Int {
        let first = Array(first.prefix(maximumCount))
        let second = Array(second.prefix(maximumCount))
        var row = Array(0...second.count)
        for (index, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in second.indices {
                let substitution = diagonal + (letter == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substitution, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[second.count]
    }

    /// The word that is nearest to `text`, if it is no further away than `limit`.
    static func nearest(to text: String, among words: [String], within limit: Int) -> String? {
        let near = words.map { ($0, between(text, $0)) }.min { $0.1 < $1.1 }
        return near.flatMap { $0.1 <= limit ? $0.0 : nil }
    }

    /// Longer texts are compared by their beginnings.
    private static let maximumCount = 64
}
