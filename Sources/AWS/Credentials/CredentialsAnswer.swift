internal import Deployment

/// Reads the answers that hold credentials. It does no I/O. Errors say what is wrong, and never
/// what was there.
enum CredentialsAnswer {
    /// More than that of an answer is not read. A session's token has no limit that is written
    /// down; those that were seen have up to 4 KiB.
    static let byteLimit = 64 << 10

    /// The answer of a container's endpoint and of instance metadata.
    static func ofServer(
        _ bytes: [UInt8], _ place: String
    ) throws(CredentialsError) -> AWSCredentials {
        let value = try json(bytes, place)
        if let code = value["Code"]?.text, code != "Success" {
            throw CredentialsError("\(place): it has no credentials: \(shown(code))")
        }
        return try credentials(value, token: "Token", mustExpire: true, place)
    }

    /// What a `credential_process` prints.
    static func ofProcess(
        _ bytes: [UInt8], _ place: String
    ) throws(CredentialsError) -> AWSCredentials {
        let value = try json(bytes, place)
        guard value["Version"] == .number("1") else {
            throw CredentialsError("\(place): what it prints must have \"Version\": 1")
        }
        return try credentials(value, token: "SessionToken", mustExpire: false, place)
    }

    /// The answer of STS to AssumeRole and AssumeRoleWithWebIdentity.
    static func ofSTS(
        _ bytes: [UInt8], _ place: String
    ) throws(CredentialsError) -> AWSCredentials {
        guard let content = XMLElement.content("Credentials", in: bytes[...]) else {
            throw CredentialsError("\(place): the answer has no credentials in it")
        }
        func value(_ name: String) throws(CredentialsError) -> String {
            guard let text = XMLElement.text(name, in: content, limit: 32 << 10) else {
                throw CredentialsError("\(place): the answer has no \(name)")
            }
            return text
        }
        return try AWSCredentials(
            accessKeyID: value("AccessKeyId"), secretAccessKey: value("SecretAccessKey"),
            sessionToken: value("SessionToken"),
            expiration: time(value("Expiration"), place)
        ).checked(place)
    }

    private static func json(
        _ bytes: [UInt8], _ place: String
    ) throws(CredentialsError) -> JSONValue {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONReader.value(bytes)
        } catch {
            throw CredentialsError("\(place): it is not JSON")
        }
        guard case .object = value else {
            throw CredentialsError("\(place): its JSON is \(value.kind), not an object")
        }
        return value
    }

    private static func credentials(
        _ value: JSONValue, token: String, mustExpire: Bool, _ place: String
    ) throws(CredentialsError) -> AWSCredentials {
        guard let key = value["AccessKeyId"]?.text, let secret = value["SecretAccessKey"]?.text
        else { throw CredentialsError("\(place): AccessKeyId or SecretAccessKey is missing") }
        var expiration: Int?
        switch value["Expiration"] {
        case nil, .null?: break
        case .string(let text)?: expiration = try time(text, place)
        default: throw CredentialsError("\(place): Expiration is not a text")
        }
        guard expiration != nil || !mustExpire else {
            throw CredentialsError("\(place): Expiration is missing")
        }
        return try AWSCredentials(
            accessKeyID: key, secretAccessKey: secret, sessionToken: value[token]?.text,
            expiration: expiration
        ).checked(place)
    }

    private static func time(_ text: String, _ place: String) throws(CredentialsError) -> Int {
        guard let seconds = UTCTime.seconds(text) else {
            throw CredentialsError("\(place): Expiration is not a time")
        }
        return seconds
    }

    /// The beginning of a server's words.
    static func shown(_ text: String) -> String {
        text.utf8.count <= 200
            ? text : String(decoding: text.utf8.prefix(200), as: UTF8.self) + "…"
    }
}

extension AWSCredentials {
    /// The same credentials, if they can be what they say: they become fields of requests.
    /// - Parameter place: where they come from.
    func checked(_ place: String) throws(CredentialsError) -> AWSCredentials {
        let parts = [
            ("access key", accessKeyID, 128), ("secret key", secretAccessKey, 256),
            ("session token", sessionToken ?? "-", 32 << 10),
        ]
        for (name, text, limit) in parts {
            guard 1...limit ~= text.utf8.count, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
                throw CredentialsError("\(place): the \(name) cannot be one")
            }
        }
        return self
    }
}
