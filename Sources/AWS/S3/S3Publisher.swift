package import Deployment
internal import HTTP
internal import Transport

/// Publishes into the bucket that an ``S3Store`` reads. `current.json` is changed only if it still
/// is what was read before, so that two who publish at once cannot undo each other's work.
///
/// Source: "Conditional writes", Amazon S3 User Guide.
package struct S3Publisher: ReleasePublisher {
    private let bucket: S3Bucket
    private let application: String
    private let environment: String
    private let client: S3Client

    package init(
        _ bucket: S3Bucket, application: String, environment: String, client: S3Client
    ) {
        self.bucket = bucket
        self.application = application
        self.environment = environment
        self.client = client
    }

    private var currentKey: String { S3Store.currentKey(of: application, environment) }

    package var catalog: String { bucket.text(of: currentKey) }

    /// "unknown" for a package whose digest the server does not have.
    package func publishedSHA256(of release: Release) async throws(PublishError) -> String? {
        try await stored(S3Store.packageKey(of: application, release.version)).map {
            $0.sha256 ?? "unknown"
        }
    }

    package func upload(
        _ package: UploadedPackage, of release: Release, signature: [UInt8]?,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws(PublishError) {
        let key = S3Store.packageKey(of: application, release.version)
        if let signature {
            try await replace(
                S3Client.Question(
                    "PUT", key + ".minisig", content: .bytes(signature),
                    sha256: Digest.text(Digest.sha256(signature))))
        }
        // The server compares what it got with the signed digest: a file that was changed
        // meanwhile is refused.
        var question = S3Client.Question(
            "PUT", key, fields: [HTTPField("Content-Type", "application/gzip")],
            content: .file(path: package.path, offset: 0, count: Int(package.byteCount)),
            sha256: package.sha256)
        question.sent = progress
        try await replace(question)
        progress(package.byteCount)
    }

    /// Writes an object if it still is, or still is not, what it was a moment ago: two who publish
    /// the same version at once do not mix their files.
    private func replace(_ question: S3Client.Question) async throws(PublishError) {
        let before = try await stored(question.key)
        var question = question
        let sha256 = question.hash ?? ""
        question.fields += [
            HTTPField("x-amz-meta-sha256", sha256),
            HTTPField("x-amz-checksum-sha256", Base64.text(Digest.bytes(sha256))),
        ]
        if let before {
            question.fields += before.tag.map { [HTTPField("If-Match", $0)] } ?? []
        } else {
            question.fields.append(HTTPField("If-None-Match", "*"))
        }
        do throws(PublishError) {
            try await send(question)
        } catch {
            // An attempt may have done it, and its answer have been lost.
            guard case .conflict = error, try await stored(question.key)?.sha256 == sha256 else {
                throw error
            }
        }
    }

    private func stored(_ key: String) async throws(PublishError) -> S3Client.Stored? {
        try await asking { () async throws(S3Client.Failure) in try await client.stored(key) }
    }

    package func readCurrent() async throws(PublishError) -> PublishedCurrent? {
        let key = currentKey
        let object = try await asking { () async throws(S3Client.Failure) in
            try await client.object(key, unless: nil, byteLimit: Release.maximumByteCount)
        }
        guard case .found(let bytes, let tag) = object else { return nil }
        guard let tag else {
            throw .failed("\(catalog): the server sends no entity tag, by which changes are told")
        }
        return PublishedCurrent(bytes: bytes, token: tag)
    }

    package func swapCurrent(
        to bytes: [UInt8], expecting token: String?
    ) async throws(PublishError) {
        let question = S3Client.Question(
            "PUT", currentKey,
            fields: [
                HTTPField("Content-Type", "application/json"),
                token.map { HTTPField("If-Match", $0) } ?? HTTPField("If-None-Match", "*"),
            ], content: .bytes(bytes), sha256: Digest.text(Digest.sha256(bytes)))
        do throws(PublishError) {
            try await send(question)
        } catch {
            // An attempt may have done it, and its answer have been lost.
            guard case .conflict = error, try await readCurrent()?.bytes == bytes else {
                throw error
            }
        }
    }

    private func send(_ question: S3Client.Question) async throws(PublishError) {
        _ = try await asking { () async throws(S3Client.Failure) in
            try await client.put(question)
        }
    }

    private func asking<Value>(
        _ body: () async throws(S3Client.Failure) -> Value
    ) async throws(PublishError) -> Value {
        do throws(S3Client.Failure) {
            return try await body()
        } catch {
            if case .refused(let failure, _) = error, failure.status == 412 {
                throw .conflict(catalog)
            }
            throw .failed("\(error)")
        }
    }
}
