internal import ErlDist
internal import Glibc

/// The host's part of node names.
enum HostName {
    /// What `gethostname(2)` says, such as `server` or `server.example.com`.
    static var full: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// What stands before the first dot: the host of short node names, as OTP takes it.
    static var short: String {
        full.split(separator: ".").first.map(String.init) ?? "localhost"
    }

    /// `text` as a node's name: with this host's name added when it has none.
    static func nodeName(_ text: String, usesLongNames: Bool) throws(UsageError) -> NodeName {
        let text = text.contains("@") ? text : "\(text)@\(usesLongNames ? full : short)"
        do throws(NodeNameError) {
            let name = try NodeName(text)
            guard name.isLong == usesLongNames || name.port != nil else {
                throw NodeNameError.missingHost
            }
            return name
        } catch {
            switch error {
            case .missingHost where text.contains("@") && !text.hasSuffix("@"):
                let remedy =
                    usesLongNames
                    ? "--name takes NAME@HOST.DOMAIN" : "with a dot in the host it needs --name"
                throw UsageError("\(text): \(remedy)", nil)
            default:
                throw UsageError("\(text) is not a node name: \(error)", nil)
            }
        }
    }
}
