internal import Transport

/// The answer to `ALIVE2_REQ`.
///
/// `ALIVE2_X_RESP` (118, result:8, creation:32) for nodes of version 6, `ALIVE2_RESP` (121,
/// result:8, creation:16) for older ones. Source: "Register a Node in EPMD", erl_dist_protocol.
public enum EPMDAliveReply: Equatable, Sendable {
    /// The creation goes into every pid, port and reference that the node makes.
    case registered(creation: UInt32)
    /// OTP's daemon says 1 for every reason; a name in use is the usual one.
    case refused(result: UInt8)

    enum Code {
        static let alive: UInt8 = 121
        static let extended: UInt8 = 118
    }

    /// The bytes for a node that announced `highestVersion`. An old node gets the low 16 bits of
    /// the creation.
    public func encoded(highestVersion: UInt16) -> [UInt8] {
        let (result, creation): (UInt8, UInt32) =
            switch self {
            case .registered(let creation): (0, creation)
            // A creation without meaning, the same that OTP's daemon sends.
            case .refused(let result): (result, 99)
            }
        var bytes: [UInt8]
        if highestVersion >= 6 {
            bytes = [Code.extended, result]
            bytes.append(bigEndian: creation)
        } else {
            bytes = [Code.alive, result]
            bytes.append(bigEndian: UInt16(truncatingIfNeeded: creation))
        }
        return bytes
    }
}

/// The answer to `PORT_PLEASE2_REQ`: `PORT2_RESP` (119). It has exactly 2 bytes when there is no
/// such node.
///
/// Source: "Get the Distribution Port of Another Node", erl_dist_protocol.
public enum EPMDPortReply: Equatable, Sendable {
    case found(EPMDNodeInfo)
    case notRegistered(result: UInt8)

    static let code: UInt8 = 119

    /// The bytes to send. The node's name and extra must be within their limits.
    public var encoded: [UInt8] {
        switch self {
        case .found(let node):
            precondition(EPMDName.isValid(node.name), "A registered name is valid")
            precondition(node.extra.count <= EPMDNodeInfo.maximumExtraByteCount)
            return [Self.code, 0] + node.encoded
        case .notRegistered(let result):
            return [Self.code, result]
        }
    }
}

/// The answer to `NAMES_REQ` and `DUMP_REQ`: the daemon's port in 4 bytes, then text until the
/// connection ends.
public struct EPMDListing: Equatable, Sendable {
    /// The daemon's own port.
    public var port: UInt32
    /// The lines as they were sent.
    public var text: [UInt8]

    /// Makes a listing from lines that already exist.
    public init(port: UInt32, text: [UInt8]) {
        self.port = port
        self.text = text
    }

    /// The answer to `NAMES_REQ`: a line `name NAME at port PORT` for each.
    public init(port: UInt32, names: some Sequence<EPMDName>) {
        self.init(
            port: port,
            text: names.flatMap { Array("name \($0.name) at port \($0.port)\n".utf8) })
    }

    /// The bytes to send before closing.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: port)
        return bytes + text
    }

    /// The names in the text. Lines of another form are left out: one odd name must not hide the
    /// rest.
    public var names: [EPMDName] {
        text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let line = String(decoding: line, as: UTF8.self)
            guard line.hasPrefix("name "),
                let space = line.lastIndex(of: " "), let port = UInt16(line[space...].dropFirst()),
                line[..<space].hasSuffix(" at port")
            else { return nil }
            let name = line[..<space].dropFirst("name ".count).dropLast(" at port".count)
            return name.isEmpty ? nil : EPMDName(name: String(name), port: port)
        }
    }
}

/// The answer to `KILL_REQ` (the first two) and `STOP_REQ`: a word, then the connection ends.
///
/// Source: "Kill EPMD" and "STOP_REQ (Not Used)", erl_dist_protocol.
public enum EPMDCommandReply: String, Equatable, Sendable {
    /// The daemon ends.
    case ok = "OK"
    /// Nodes are registered, so the daemon does not end.
    case no = "NO"
    /// The registration has been removed.
    case stopped = "STOPPED"
    /// There is no such registration.
    case noSuchName = "NOEXIST"

    /// The bytes to send before closing.
    public var encoded: [UInt8] {
        Array(rawValue.utf8)
    }
}
