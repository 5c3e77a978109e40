internal import HTTP
internal import TestKit
internal import Transport

/// Asks one instance over HTTP all the time, each time to write a numbered line to its stdout.
actor Load {
    private nonisolated let loop: EventLoop
    private let port: UInt16
    private let instance: Int
    private var isStopped = false
    private var next = 1
    /// The numbers whose request was answered: their lines must be in the log.
    private(set) var answered: [Int] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(instance: Int, of site: Site) {
        self.instance = instance
        port = UInt16(site.firstPort + instance - 1)
        loop = site.loop
    }

    static func line(_ instance: Int, _ number: Int) -> String { "line-\(instance)-\(number)-" }

    func run() async {
        let client = HTTPClient(loop: loop)
        let address = SocketAddress.loopback(port: port)
        while !isStopped {
            let number = next
            next += 1
            // While the instance is being replaced nothing answers.
            let response = try? await client.get(
                address, host: "localhost", path: "/print/" + Self.line(instance, number),
                within: .seconds(5))
            if response?.isSuccess == true { answered.append(number) }
            await loop.sleep(for: .milliseconds(25))
        }
    }

    func stop() {
        isStopped = true
    }

    struct Lines: Sendable {
        var answered = 0
        var lost = 0
        var doubled = 0
    }

    /// Compares what was answered with what stands in the instance's log and the pieces rotated from it.
    func compare(with folder: String, name: String) -> Lines {
        let file = "\(name)-stdout.log"
        var counts: [Substring: Int] = [:]
        let pieces = Files.names(folder).filter {
            $0.hasPrefix(file + ".") && $0.dropFirst(file.count + 1).allSatisfy(\.isNumber)
        }
        // A line may begin in one piece and end in the next.
        let text = (pieces + [file]).map { Files.text("\(folder)/\($0)") }.joined()
        for line in text.split(separator: "\n") where line.hasPrefix("line-\(instance)-") {
            counts[line, default: 0] += 1
        }
        return Lines(
            answered: answered.count,
            lost: answered.count { counts[Substring(Self.line(instance, $0))] == nil },
            doubled: counts.values.count { $0 > 1 })
    }
}
