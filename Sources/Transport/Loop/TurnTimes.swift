/// How long a loop's turns have taken: whoever comes while one lasts waits for its end.
package struct TurnTimes: Equatable, Sendable {
    /// The upper bounds of the classes; a last class has what took longer.
    package static let bounds: [Duration] = [
        .microseconds(500), .milliseconds(1), .microseconds(2500), .milliseconds(5),
        .milliseconds(10), .milliseconds(25), .milliseconds(50), .milliseconds(100),
        .milliseconds(250), .seconds(1),
    ]
    private static let nanoseconds = bounds.map(\.nanoseconds)

    /// Turns in each class.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    package private(set) var sum: Duration = .zero

    package init() {}

    package mutating func add(_ time: Duration) {
        let nanoseconds = time.nanoseconds
        var place = 0
        while place < Self.nanoseconds.count, nanoseconds > Self.nanoseconds[place] { place += 1 }
        counts[place] += 1
        sum += time
    }
}
