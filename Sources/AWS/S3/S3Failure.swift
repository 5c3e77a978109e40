package import HTTP

/// What an answer of S3 that is no success says. It does no I/O.
///
/// Source: "Error responses", Amazon S3 API Reference.
package struct S3Failure: Error, Equatable, Sendable {
    package var status: Int
    /// Such as `NoSuchKey`; a name of our own where the server sends none.
    package var code: String
    package var message: String
    /// The region that the bucket is in, if the server says so.
    package var region: String?
    /// The server's clock in seconds since 1970.
    package var serverTime: Int?

    /// More than that of an answer is not looked at.
    static let contentLimit = 16 << 10

    package init(_ answer: HTTPAnswer) {
        let content = answer.content.prefix(Self.contentLimit)
        status = answer.status
        code = XMLElement.text("Code", in: content) ?? "status \(answer.status)"
        message = XMLElement.text("Message", in: content) ?? ""
        region =
            answer.fields.values("x-amz-bucket-region").first.flatMap(Self.region)
            ?? XMLElement.text("Region", in: content).flatMap(Self.region)
        serverTime = answer.fields.values("date").first.flatMap { UTCTime.seconds(httpDate: $0) }
    }

    /// A region becomes part of a host's name.
    private static func region(_ text: some StringProtocol) -> String? {
        let isRegion =
            1...32 ~= text.utf8.count
            && text.utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-")
            }
        return isRegion ? String(text) : nil
    }

    /// What is to be done about it.
    package enum Remedy: Equatable, Sendable {
        case askRegion(String)
        case correctClock(Int)
        case newCredentials
        case later
        case giveUp
    }

    package var remedy: Remedy {
        switch code {
        case "RequestTimeTooSkewed": return serverTime.map { .correctClock($0) } ?? .giveUp
        case "ExpiredToken", "TokenRefreshRequired", "InvalidToken": return .newCredentials
        case "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout",
            "OperationAborted", "ConditionalRequestConflict":
            return .later
        default: break
        }
        if let region, [301, 307, 400].contains(status) { return .askRegion(region) }
        return status == 429 || status >= 500 ? .later : .giveUp
    }

    /// Whether the bucket is there and the object is not.
    var isMissing: Bool { code == "NoSuchKey" }

    /// What it means, and what to do.
    package var text: String {
        let told = message.isEmpty ? code : "\(code): \(message)"
        switch (status, code) {
        case (_, "NoSuchBucket"): return "there is no such bucket (\(told))"
        case (404, _): return "there is no such object (\(told))"
        case (_, "RequestTimeTooSkewed"):
            return "this host's clock differs from the server's: set it (\(told))"
        case (_, "ExpiredToken"), (_, "TokenRefreshRequired"):
            return "the credentials have expired (\(told))"
        case (_, "InvalidAccessKeyId"), (_, "SignatureDoesNotMatch"):
            return "the credentials are not valid (\(told))"
        case (403, _):
            return "these credentials may not do that: they need s3:GetObject on the bucket's "
                + "objects, and s3:ListBucket to tell a missing object (\(told))"
        default: return told
        }
    }
}
