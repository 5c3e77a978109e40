import Supervisor
import TestKit
import Testing

@testable import Deployment

/// What an instance is said to have said last.
@Suite struct LastWordsTests {
    private let folder = TemporaryFolder()
    private let name = InstanceName(app: "counter", number: 1)
    private let words: LastWords

    init() throws {
        let logs = LogFiles(root: folder.path)
        try logs.prepare(app: "counter")
        words = LastWords(
            logs: logs, name: name, tail: { try LogFiles.tail(path: $0, lines: $1) },
            end: { try LogFiles.position(path: $0, lastLines: 0).offset })
    }

    private func print(_ text: String, _ stream: String) {
        folder.write(text, "counter/counter-1-\(stream).log")
    }

    @Test func `a line of an earlier process is not quoted`() {
        print("of an earlier life\n", "stderr")
        let starts = words.starts()
        #expect(words.line(since: starts) == nil)
        print("of an earlier life\nof this one\n\n", "stderr")
        #expect(words.line(since: starts) == "of this one")
        print("of an earlier life\n\n\n", "stderr")
        #expect(words.line(since: starts) == nil)
        // When stderr is silent, stdout speaks.
        print("of an earlier life\n", "stderr")
        print("on stdout\n", "stdout")
        #expect(words.line(since: starts) == "on stdout")
    }

    @Test func `where the start is not known, nothing is quoted`() {
        print("of an earlier life\n", "stderr")
        #expect(words.line(since: [:]) == nil)
    }
}
