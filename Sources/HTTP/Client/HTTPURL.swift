/// Why a text is no address that can be asked.
package struct HTTPURLError: Error, Equatable, Sendable, CustomStringConvertible {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}

/// An address of `http` or `https`, without user names and fragments.
package struct HTTPURL: Equatable, Sendable {
    package enum Scheme: String, Sendable {
        case http, https

        package var port: UInt16 { self == .http ? 80 : 443 }
    }

    package var scheme: Scheme
    /// In lower case; an IPv6 address without its brackets.
    package var host: String
    package var port: UInt16
    /// From the first `/` on, percent-encoded, with the query.
    package var path: String

    package init(_ text: String) throws(HTTPURLError) {
        guard text.utf8.count <= 16_000, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw HTTPURLError("the address is too long, or not visible ASCII")
        }
        var rest: Substring
        let lowered = text.prefix(8).lowercased()
        if lowered.hasPrefix("http://") {
            (scheme, rest) = (.http, text.dropFirst(7))
        } else if lowered.hasPrefix("https://") {
            (scheme, rest) = (.https, text.dropFirst(8))
        } else {
            throw HTTPURLError("the address begins with neither http:// nor https://")
        }
        guard !rest.contains("#") else { throw HTTPURLError("the address has a fragment") }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        path = String(rest[end...])
        if path.first != "/" { path = "/" + path }
        rest = rest[..<end]
        guard !rest.contains("@") else { throw HTTPURLError("the address holds a user's name") }
        var portText: Substring?
        if rest.first == "[" {
            guard let bracket = rest.firstIndex(of: "]") else {
                throw HTTPURLError("the host's bracket is not closed")
            }
            host = rest[rest.index(after: rest.startIndex)..<bracket].lowercased()
            let after = rest[rest.index(after: bracket)...]
            guard after.isEmpty || after.first == ":" else {
                throw HTTPURLError("the host is followed by neither a port nor a path")
            }
            if !after.isEmpty { portText = after.dropFirst() }
            guard host.utf8.allSatisfy({ isIPv6($0) }) else {
                throw HTTPURLError("the host is not an IPv6 address")
            }
        } else {
            let colon = rest.firstIndex(of: ":")
            host = rest[..<(colon ?? rest.endIndex)].lowercased()
            if let colon { portText = rest[rest.index(after: colon)...] }
            guard host.utf8.allSatisfy({ isHost($0) }) else {
                throw HTTPURLError("the host has a character that no host has")
            }
        }
        guard !host.isEmpty, host.utf8.count <= 255 else {
            throw HTTPURLError("the host is missing")
        }
        port = scheme.port
        if let portText, !portText.isEmpty {
            guard let number = UInt16(portText), number > 0, portText.first != "+" else {
                throw HTTPURLError("the port is not a number from 1 to 65535")
            }
            port = number
        }
    }

    /// The value of the Host field: the port only where it is not the scheme's own.
    package var authority: String {
        (host.contains(":") ? "[\(host)]" : host) + (port == scheme.port ? "" : ":\(port)")
    }
}

private func isHost(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
        true
    default: false
    }
}

private func isIPv6(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: ":"), UInt8(ascii: "."):
        true
    default: false
    }
}
