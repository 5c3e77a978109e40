internal import Deployment
internal import Glibc
package import HTTP
package import Supervisor
package import Transport

/// Reads objects of a bucket. What is worth asking again is asked again: later, in the region that
/// the server names, by the server's clock, or with new credentials.
package actor S3Client {
    package struct Limits: Sendable {
        /// Questions for one object, the first included.
        package var attempts = 5
        /// For a question whose answer is collected.
        package var deadline: Duration = .seconds(20)
        /// For one question for a package. The next one asks for the rest.
        package var downloadDeadline: Duration = .seconds(600)
        /// For sending a package, which cannot be gone on with.
        package var uploadDeadline: Duration = .seconds(3600)
        /// How long a server may send nothing.
        package var idle: Duration = .seconds(30)
        /// How long a server may take nothing of a package, or leave the whole one unanswered.
        package var uploadIdle: Duration = .seconds(60)
        /// The longest object that is fetched.
        package var packageByteCount = 4 << 30
        /// Before the second question; it doubles.
        package var firstPause: Duration = .milliseconds(500)

        package init() {}
    }

    package enum Failure: Error, Equatable, CustomStringConvertible {
        case refused(S3Failure, object: String)
        case unreachable(object: String, reason: String)
        case credentials(object: String, CredentialsError)
        /// What the server has is not what was asked for.
        case wrong(object: String, reason: String)
        /// This host's disk.
        case notWritten(object: String, FileSystemError)

        package var object: String {
            switch self {
            case .refused(_, let object), .unreachable(let object, _), .credentials(let object, _),
                .wrong(let object, _), .notWritten(let object, _):
                object
            }
        }

        package var reason: String {
            switch self {
            case .refused(let failure, _): failure.text
            case .unreachable(_, let reason), .wrong(_, let reason): reason
            case .credentials(_, let error): "\(error)"
            case .notWritten(_, let error): "\(error)"
            }
        }

        package var description: String { "\(object): \(reason)" }
    }

    package enum Object: Equatable, Sendable {
        case unchanged
        case found(bytes: [UInt8], tag: String?)
        case missing
    }

    /// An attempt that brings no more than that counts as one.
    private static let trickle: Int64 = 256 << 10

    private nonisolated let loop: EventLoop
    private var bucket: S3Bucket
    private let credentials: any CredentialsSource
    private let client: HTTPClient
    private let limits: Limits
    private let clock: @Sendable () -> Int
    /// The server's clock less ours, in seconds.
    private var skew = 0

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(
        _ bucket: S3Bucket, credentials: any CredentialsSource, client: HTTPClient,
        loop: EventLoop, limits: Limits = Limits(),
        clock: @escaping @Sendable () -> Int = { time(nil) }
    ) {
        self.bucket = bucket
        self.credentials = credentials
        self.client = client
        self.loop = loop
        self.limits = limits
        self.clock = clock
    }

    /// A small object.
    /// - Parameter tag: of the content that is known already.
    package func object(
        _ key: String, unless tag: String?, byteLimit: Int
    ) async throws(Failure) -> Object {
        let question = Question(
            "GET", key, fields: tag.map { [HTTPField("If-None-Match", $0)] } ?? [])
        let answer: HTTPAnswer
        do throws(Failure) {
            answer = try await ask(question) {
                [client, limits] (request) async throws(HTTPError) in
                try await client.send(
                    request, within: limits.deadline, contentLimit: byteLimit)
            }
        } catch {
            if case .refused(let failure, _) = error, failure.isMissing {
                return .missing
            }
            throw error
        }
        if answer.status == 304, tag != nil { return .unchanged }
        return .found(bytes: answer.content, tag: answer.fields.values("etag").first)
    }

    /// Throws if the object cannot be read. An answer to GET says why; one to HEAD does not.
    package func requireObject(_ key: String) async throws(Failure) {
        let question = Question("GET", key, fields: [HTTPField("Range", "bytes=0-0")])
        do throws(Failure) {
            _ = try await ask(question) {
                [client, limits] (request) async throws(HTTPError) in
                try await client.send(request, within: limits.deadline, contentLimit: 64 << 10)
            }
        } catch {
            // An empty object has no first byte.
            if case .refused(let failure, _) = error, failure.status == 416 { return }
            throw error
        }
    }

    /// What the server says of an object without sending it.
    struct Stored: Equatable, Sendable {
        var tag: String?
        /// In hexadecimal; `nil` if the server does not have it.
        var sha256: String?
    }

    /// - Returns: `nil` if there is no object.
    func stored(_ key: String) async throws(Failure) -> Stored? {
        let question = Question(
            "HEAD", key, fields: [HTTPField("x-amz-checksum-mode", "ENABLED")])
        let answer: HTTPAnswer
        do throws(Failure) {
            answer = try await ask(question) {
                [client, limits] (request) async throws(HTTPError) in
                try await client.send(request, within: limits.deadline, contentLimit: 0)
            }
        } catch {
            // An answer to HEAD has no content that would say more.
            if case .refused(let failure, _) = error, failure.status == 404 { return nil }
            throw error
        }
        func value(_ name: String) -> String? { answer.fields.values(name).first }
        var stored = Stored(tag: value("etag"))
        if let bytes = value("x-amz-checksum-sha256").flatMap({ Base64.bytes($0) }),
            bytes.count == 32
        {
            stored.sha256 = Digest.text(bytes)
        } else if let said = value("x-amz-meta-sha256"), Release.isSHA256(said) {
            // What we have published says it also where the server keeps no checks.
            stored.sha256 = said
        }
        return stored
    }

    /// Writes an object.
    func put(_ question: Question) async throws(Failure) {
        let sent = question.sent
        _ = try await ask(question) { [client, limits] (request) async throws(HTTPError) in
            guard case .file = request.content else {
                return try await client.send(
                    request, within: limits.deadline, contentLimit: 64 << 10)
            }
            return try await client.upload(
                request, within: limits.uploadDeadline, idle: limits.uploadIdle,
                contentLimit: 64 << 10, sent: sent)
        }
    }

    /// Fetches an object. After a cut it goes on where the file ends, if the object is still the
    /// same; so does a later call with the same file.
    package func fetch(_ key: String, into file: ObjectFile) async throws(Failure) {
        let object = bucket.text(of: key)
        var hasBegunAnew = false
        while true {
            do throws(Failure) {
                try await fetchRest(of: key, into: file)
                break
            } catch {
                // Another object has taken its place, or the server has no such part.
                guard case .refused(let failure, _) = error, [412, 416].contains(failure.status),
                    !hasBegunAnew
                else { throw error }
                hasBegunAnew = true
                await loop.offload { file.discard() }
            }
        }
        let finished = await loop.offload { () -> Result<String?, FileSystemError> in
            Result { () throws(FileSystemError) in try file.finish() }
        }
        switch finished {
        case .success(nil): return
        case .success(let problem?): throw .wrong(object: object, reason: problem)
        case .failure(let error): throw .notWritten(object: object, error)
        }
    }

    private func fetchRest(of key: String, into file: ObjectFile) async throws(Failure) {
        var question = Question("GET", key)
        question.furthest = { file.furthest }
        question.changingFields = { file.fields }
        let download = HTTPDownload(
            byteLimit: limits.packageByteCount, idle: limits.idle,
            isWanted: { file.takes($0) }, write: { file.write($0) })
        let answer = try await ask(question) {
            [client, limits] (request) async throws(HTTPError) in
            try await client.download(request, to: download, within: limits.downloadDeadline)
        }
        if let problem = file.problem {
            await loop.offload { file.discard() }
            throw .wrong(object: bucket.text(of: key), reason: problem)
        }
        guard [200, 206].contains(answer.status) else {
            throw .wrong(
                object: bucket.text(of: key), reason: "the server answers \(answer.status)")
        }
    }

    /// What is asked of the server.
    struct Question: Sendable {
        var method: String
        var key: String
        var fields: [HTTPField]
        var content = HTTPRequest.Content.none
        /// Its SHA-256, in hexadecimal.
        var hash: String?
        /// More fields, which may be others with each attempt.
        var changingFields: @Sendable () -> [HTTPField] = { [] }
        /// How far it has come. Whoever comes further than a trickle has all attempts again.
        var furthest: @Sendable () -> Int64 = { 0 }
        /// Hears how much of a file has been sent; an attempt begins again.
        var sent: @Sendable (Int64) -> Void = { _ in }

        init(
            _ method: String, _ key: String, fields: [HTTPField] = [],
            content: HTTPRequest.Content = .none, sha256: String? = nil
        ) {
            self.method = method
            self.key = key
            self.fields = fields
            self.content = content
            hash = sha256
        }
    }

    /// Asks until there is an answer that counts.
    /// - Parameter send: sends the signed request.
    func ask(
        _ question: Question,
        _ send: @Sendable (HTTPRequest) async throws(HTTPError) -> HTTPAnswer
    ) async throws(Failure) -> HTTPAnswer {
        let object = bucket.text(of: question.key)
        var attempt = 1
        var pause = limits.firstPause
        var furthest = question.furthest()
        // Each of these is done once.
        var hasMoved = false
        var hasCorrected = false
        var hasRenewed = false
        while true {
            var failure: Failure
            do {
                let request = try await request(question, object)
                let answer = try await send(request)
                if answer.isSuccess || answer.status == 304 { return answer }
                let refused = S3Failure(answer)
                failure = .refused(refused, object: object)
                switch refused.remedy {
                case .askRegion(let region) where !hasMoved && region != bucket.region:
                    hasMoved = true
                    bucket.region = region
                    continue
                case .correctClock(let time) where !hasCorrected:
                    hasCorrected = true
                    skew = time - clock()
                    continue
                case .newCredentials where !hasRenewed:
                    hasRenewed = true
                    await credentials.invalidate()
                    continue
                case .later: break
                case .askRegion, .correctClock, .newCredentials, .giveUp: throw failure
                }
            } catch let error as HTTPError {
                switch error {
                case .unusable(_, let reason): throw .wrong(object: object, reason: reason)
                case .badResponse(_, .contentTooLong(let limit)):
                    throw .wrong(
                        object: object, reason: "it has more than \(limit) bytes")
                case .notWritten(_, let reason):
                    throw .notWritten(object: object, .system(reason))
                case .unreachable, .timedOut, .stalled, .badResponse, .stopped:
                    failure = .unreachable(object: object, reason: "\(error)")
                }
            } catch let error as Failure {
                throw error
            } catch {
                throw .unreachable(object: object, reason: "\(error)")
            }
            if question.furthest() > furthest + Self.trickle {
                furthest = question.furthest()
                attempt = 0
                pause = limits.firstPause
            }
            guard attempt < limits.attempts, !Task.isCancelled else { throw failure }
            attempt += 1
            // Many hosts that were refused together do not come back together.
            await loop.sleep(for: pause * Double.random(in: 0.5...1))
            pause = min(pause * 2, .seconds(20))
        }
    }

    private func request(_ question: Question, _ object: String) async throws -> HTTPRequest {
        let url: HTTPURL
        do throws(HTTPURLError) {
            url = try bucket.url(of: question.key)
        } catch {
            throw Failure.wrong(object: object, reason: "\(error)")
        }
        let known: AWSCredentials
        do throws(CredentialsError) {
            known = try await credentials.credentials()
        } catch {
            throw Failure.credentials(object: object, error)
        }
        var request = HTTPRequest(
            question.method, url, fields: question.fields + question.changingFields(),
            content: question.content)
        SignatureV4(region: bucket.region, service: "s3").sign(
            &request, payload: question.hash.map { .hash($0) } ?? .bytes([]), credentials: known,
            at: clock() + skew)
        return request
    }
}
