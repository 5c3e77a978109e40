internal import AWS
internal import HTTP
internal import Transport

/// What is needed to ask AWS, or a server that speaks as AWS does: one for all applications.
struct AmazonAccess: Sendable {
    let client: HTTPClient
    let credentials: CredentialsChain
    let loop: EventLoop

    /// - Parameters:
    ///   - environment: deployex's variables: keys, profiles, proxies and authorities.
    ///   - region: where roles are assumed.
    ///   - owners: whose files, programs and servers on this host are believed.
    ///   - warn: hears that credentials could not be renewed. Called on the loop's thread.
    /// - Throws: ``UsageError`` if a proxy's variable cannot be used.
    init(
        _ environment: [String: String], region: String, owners: TrustedUsers = TrustedUsers(),
        loop: EventLoop, warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(UsageError) {
        let proxies: HTTPProxies
        do throws(HTTPProxyError) {
            proxies = try HTTPProxies(environment: environment)
        } catch {
            throw UsageError("\(error)", "start")
        }
        client = HTTPClient(
            loop: loop, trust: HTTPTrust(environment: environment), proxies: proxies)
        credentials = CredentialsChain(
            environment: environment, region: region, client: client, loop: loop,
            owners: owners, warn: warn)
        self.loop = loop
    }

    /// Ends what asks for credentials.
    func end() async { await credentials.stop() }

    func client(of bucket: S3Bucket, limits: S3Client.Limits = .init()) -> S3Client {
        S3Client(bucket, credentials: credentials, client: client, loop: loop, limits: limits)
    }
}

extension ServerConfiguration {
    /// The region of the first bucket; `nil` if no application is published in one.
    var region: String? {
        for application in applications {
            if case .bucket(let bucket) = application.storage.place { return bucket.region }
        }
        return nil
    }
}
