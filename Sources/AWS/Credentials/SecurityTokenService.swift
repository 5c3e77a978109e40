internal import HTTP

/// AWS's Security Token Service, which gives credentials for roles.
///
/// Source: AWS STS API Reference, AssumeRole and AssumeRoleWithWebIdentity.
struct SecurityTokenService: Sendable {
    var endpoint: HTTPURL
    var region: String
    var servers: CredentialsServers

    /// The role's credentials, asked for with those of `caller`.
    func assume(
        _ role: AssumedRole, as caller: AWSCredentials
    ) async throws(CredentialsError) -> AWSCredentials {
        var parameters = [("RoleArn", role.arn), ("RoleSessionName", role.sessionName)]
        if let id = role.externalID { parameters.append(("ExternalId", id)) }
        if let duration = role.duration { parameters.append(("DurationSeconds", "\(duration)")) }
        return try await ask("AssumeRole", parameters, role, signer: caller)
    }

    /// The role's credentials, asked for with the token of another identity provider. Such a
    /// question is not signed.
    func assume(
        _ role: AssumedRole, withWebIdentity token: String
    ) async throws(CredentialsError) -> AWSCredentials {
        let parameters = [
            ("RoleArn", role.arn), ("RoleSessionName", role.sessionName),
            ("WebIdentityToken", token),
        ]
        return try await ask("AssumeRoleWithWebIdentity", parameters, role, signer: nil)
    }

    private func ask(
        _ action: String, _ parameters: [(String, String)], _ role: AssumedRole,
        signer: AWSCredentials?
    ) async throws(CredentialsError) -> AWSCredentials {
        let place = "taking the role \(CredentialsAnswer.shown(role.arn)) at \(endpoint)"
        let all = [("Action", action), ("Version", "2011-06-15")] + parameters
        let form = all.map { "\($0.0)=\(Self.encoded($0.1))" }.joined(separator: "&")
        let request = HTTPRequest(
            "POST", endpoint,
            fields: [
                HTTPField("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
            ], content: .bytes(Array(form.utf8)))
        let answer: HTTPAnswer
        do throws(HTTPError) {
            if let signer {
                answer = try await servers.service.answer(
                    request, signedBy: SignatureV4(region: region, service: "sts"), as: signer)
            } else {
                answer = try await servers.service.answer(request)
            }
        } catch {
            throw CredentialsError("\(place): \(error)")
        }
        guard answer.isSuccess else {
            throw CredentialsError("\(place): \(Self.problem(answer, isSigned: signer != nil))")
        }
        return try CredentialsAnswer.ofSTS(answer.content, place)
            .expiring(by: answer, clock: servers.clock())
    }

    private static func problem(_ answer: HTTPAnswer, isSigned: Bool) -> String {
        let code = XMLElement.text("Code", in: answer.content[...])
        let message = XMLElement.text("Message", in: answer.content[...], limit: 2_000)
        let told = [code ?? "status \(answer.status)", message.map(CredentialsAnswer.shown)]
            .compactMap(\.self).joined(separator: ": ")
        switch code {
        case "AccessDenied":
            return "refused: the role's trust policy must allow this caller (\(told))"
        case "InvalidClientTokenId", "SignatureDoesNotMatch", "IncompleteSignature":
            return "the credentials that ask for the role are not valid (\(told))"
        case "ExpiredToken", "ExpiredTokenException":
            return isSigned
                ? "the credentials that ask for the role have expired (\(told))"
                : "the web identity's token has expired: whoever writes its file must renew it "
                    + "(\(told))"
        case "InvalidIdentityToken":
            return "the web identity's token is not valid for this role (\(told))"
        case "RegionDisabledException":
            return "STS is not switched on in this region (\(told))"
        default: return told
        }
    }

    /// Percent-encoded but for what RFC 3986 leaves unreserved.
    private static func encoded(_ text: String) -> String {
        let kept = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~".utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if kept.contains(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
