internal import Transport

/// Which proxy leads to a server, by the variables that curl knows.
///
/// `https_proxy` or `HTTPS_PROXY` for https, `http_proxy` for http: `HTTP_PROXY` is not read,
/// because a client of a CGI program could set it. `no_proxy` or `NO_PROXY` lists the hosts that
/// are asked directly: names with their subdomains, addresses, `HOST:PORT`, or `*` for all.
package struct HTTPProxies: Equatable, Sendable {
    package struct Proxy: Equatable, Sendable, CustomStringConvertible {
        var host: String
        var port: UInt16
        /// `USER:PASSWORD`, decoded.
        var login: [UInt8]?

        /// Without the login.
        package var description: String { "\(host):\(port)" }

        var fields: [HTTPField] {
            guard let login else { return [] }
            return [HTTPField("Proxy-Authorization", "Basic " + Base64.text(login))]
        }
    }

    private var http: Proxy?
    private var https: Proxy?
    private var exceptions: [String] = []

    /// No proxies.
    package init() {}

    package init(environment: [String: String]) throws(HTTPProxyError) {
        http = try Self.proxy("http_proxy", in: environment)
        https = try Self.proxy("https_proxy", in: environment)
        if https == nil { https = try Self.proxy("HTTPS_PROXY", in: environment) }
        let list = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
        exceptions = list.split { $0 == "," || $0 == " " }.prefix(1_000).map { entry in
            entry.lowercased()
        }
    }

    func proxy(for url: HTTPURL) -> Proxy? {
        guard let proxy = url.scheme == .http ? http : https else { return nil }
        return exceptions.contains { Self.excepts($0, url) } ? nil : proxy
    }

    private static func excepts(_ entry: String, _ url: HTTPURL) -> Bool {
        if entry == "*" { return true }
        if entry == url.host || entry == "[\(url.host)]" || entry == url.target { return true }
        let name = entry.hasPrefix(".") ? entry.dropFirst() : entry[...]
        // An address has no subdomains.
        guard let last = url.host.utf8.last, !HTTPText.isDigit(last), !name.isEmpty else {
            return false
        }
        return url.host == name || url.host.hasSuffix("." + name)
    }

    private static func proxy(
        _ name: String, in environment: [String: String]
    ) throws(HTTPProxyError) -> Proxy? {
        guard var text = environment[name], !text.isEmpty else { return nil }
        if text.hasPrefix("https://") { throw .scheme(variable: name) }
        if !text.hasPrefix("http://") { text = "http://" + text }
        var login: [UInt8]?
        let authority = text.dropFirst(7).prefix { $0 != "/" }
        if let at = authority.lastIndex(of: "@") {
            guard let decoded = percentDecoded(authority[..<at]) else {
                throw .unusable(variable: name, .badCharacter)
            }
            login = decoded
            text = "http://" + authority[authority.index(after: at)...]
        }
        do throws(HTTPURLError) {
            let url = try HTTPURL(text)
            // curl's default for proxies is 1080; everybody else's is the scheme's.
            return Proxy(host: url.host, port: url.port, login: login)
        } catch {
            throw .unusable(variable: name, error)
        }
    }

    private static func percentDecoded(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(value),
                let low = rest.popFirst().flatMap(value)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        Character(Unicode.Scalar(digit)).hexDigitValue.map { UInt8($0) }
    }
}

/// Why a proxy's variable cannot be used. The variable's value may hold a password, so it is not
/// shown.
package enum HTTPProxyError: Error, Equatable, Sendable, CustomStringConvertible {
    case scheme(variable: String)
    case unusable(variable: String, HTTPURLError)

    package var description: String {
        switch self {
        case .scheme(let variable):
            "\(variable): a proxy is reached over http:// only, and TLS goes through it"
        case .unusable(let variable, let error): "\(variable): \(error)"
        }
    }
}
