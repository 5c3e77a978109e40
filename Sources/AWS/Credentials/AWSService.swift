internal import HTTP

/// A service of AWS, and where it is asked.
enum AWSService: String, Sendable {
    case sts
    case secretsmanager

    /// How variables name it.
    fileprivate var variable: String {
        switch self {
        case .sts: "AWS_ENDPOINT_URL_STS"
        case .secretsmanager: "AWS_ENDPOINT_URL_SECRETS_MANAGER"
        }
    }
}

extension CredentialsOrder {
    /// The service of the region, or the server that the environment names in its place.
    func endpoint(
        of service: AWSService, region: String
    ) throws(CredentialsError) -> HTTPURL {
        for name in [service.variable, "AWS_ENDPOINT_URL"] {
            if let text = value(name) { return try url(text, name) }
        }
        let isRegion =
            1...32 ~= region.utf8.count
            && region.utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-")
            }
        guard isRegion else {
            throw CredentialsError("AWS needs a region: set AWS_REGION, such as eu-west-1")
        }
        let suffix = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        return try url("https://\(service.rawValue).\(region).\(suffix)", "AWS_REGION")
    }
}
