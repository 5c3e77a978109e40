/// Code that hostile bytes reach, with what must hold whatever the bytes are.
///
/// The same checks run under libFuzzer, which looks for bytes that break them, and as a unit test over the
/// seeds and all that was ever found.
struct FuzzTarget: Sendable {
    /// The name of the target and of its folders of seeds and findings.
    let name: String
    /// Throws ``FuzzFailure`` when the code does not keep a promise. A trap, a hang and memory beyond the limit
    /// are findings too.
    let check: @Sendable ([UInt8]) throws -> Void

    /// All there are.
    static let all = [
        FuzzTarget(name: "term", check: TermTarget.check),
        FuzzTarget(name: "text", check: TextTarget.check),
        FuzzTarget(name: "handshake", check: HandshakeTarget.check),
        FuzzTarget(name: "message", check: MessageTarget.check),
        FuzzTarget(name: "epmd", check: EPMDTarget.check),
        FuzzTarget(name: "tls-options", check: TLSOptionsTarget.check),
        FuzzTarget(name: "archive", check: ArchiveTarget.check),
        FuzzTarget(name: "json", check: JSONTarget.check),
        FuzzTarget(name: "signature", check: SignatureTarget.check),
        FuzzTarget(name: "credentials", check: CredentialsTarget.check),
        FuzzTarget(name: "output", check: OutputTarget.check),
        FuzzTarget(name: "file-name", check: FileNameTarget.check),
        FuzzTarget(name: "terminal", check: TerminalTarget.check),
        FuzzTarget(name: "control", check: ControlTarget.check),
        FuzzTarget(name: "http", check: HTTPTarget.check),
        FuzzTarget(name: "crash-dump", check: CrashDumpTarget.check),
        FuzzTarget(name: "pattern", check: PatternTarget.check),
    ]
}

/// A promise that was not kept.
struct FuzzFailure: Error, CustomStringConvertible {
    var description: String
}

func require(_ condition: Bool, _ promise: @autoclosure () -> String) throws {
    if !condition { throw FuzzFailure(description: promise()) }
}

/// Bytes of which the first few say how the rest is used.
struct FuzzInput {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    var isEmpty: Bool { rest.isEmpty }

    /// The next byte; 0 when there is none.
    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// The next bytes, fewer at the end.
    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// The rest in pieces of that size; 0 for one piece.
    func pieces(of byteCount: UInt8) -> [ArraySlice<UInt8>] {
        guard byteCount > 0 else { return [rest] }
        return stride(from: rest.startIndex, to: rest.endIndex, by: Int(byteCount)).map {
            rest[$0..<min($0 + Int(byteCount), rest.endIndex)]
        }
    }
}
