internal import Glibc
package import HTTP
package import Transport

/// Reads objects of a bucket. What is worth asking again is asked again: later, in the region that
/// the server names, by the server's clock, or with new credentials.
package actor S3Client {
    package struct Limits: Sendable {
        /// Questions for one object, the first included.
        package var attempts = 5
        /// For a question whose answer is collected.
        package var deadline: Duration = .seconds(20)
        /// For one question for a package.
        package var downloadDeadline: Duration = .seconds(3600)
        /// How long a server may send nothing.
        package var idle: Duration = .seconds(30)
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
        case notWritten(object: String, SystemError)

        package var description: String {
            switch self {
            case .refused(let failure, let object): failure.text(object)
            case .unreachable(let object, let reason): "\(object): \(reason)"
            case .credentials(let object, let error): "\(object): \(error)"
            case .wrong(let object, let reason): "\(object): \(reason)"
            case .notWritten(let object, let error): "\(object): \(error)"
            }
        }
    }

    package enum Object: Equatable, Sendable {
        case unchanged
        case found(bytes: [UInt8], tag: String?)
        case missing
    }

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
        loop: EventLoop, limits: Limits = Limits(), clock: @escaping @Sendable () -> Int = { time(nil) }
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
        let fields = tag.map { [HTTPField("If-None-Match", $0)] } ?? []
        let answer: HTTPAnswer
        do throws(Failure) {
            answer = try await ask("GET", key, fields) {
                [client, limits] (request) async throws(HTTPError) in
                try await client.send(
                    request, within: limits.deadline, contentLimit: byteLimit)
            }
        } catch {
            if case .refused(let failure, _) = error, failure.code == "NoSuchKey" {
                return .missing
            }
            throw error
        }
        if answer.status == 304, tag != nil { return .unchanged }
        return .found(bytes: answer.content, tag: answer.fields.values("etag").first.map { "\($0)" })
    }

    /// Asks until there is an answer that counts.
    /// - Parameter send: sends the signed request.
    func ask(
        _ method: String, _ key: String, _ fields: [HTTPField],
        _ send: @Sendable (HTTPRequest) async throws(HTTPError) -> HTTPAnswer
    ) async throws(Failure) -> HTTPAnswer {
        let object = bucket.text(of: key)
        var attempt = 1
        var pause = limits.firstPause
        // Each of these is done once.
        var hasMoved = false
        var hasCorrected = false
        var hasRenewed = false
        while true {
            var failure: Failure
            do {
                let request = try await request(method, key, fields, object)
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
                case .notWritten(_, let reason): throw .notWritten(object: object, reason)
                case .unreachable, .timedOut, .stalled, .badResponse, .stopped:
                    failure = .unreachable(object: object, reason: "\(error)")
                }
            } catch let error as Failure {
                throw error
            } catch {
                throw .unreachable(object: object, reason: "\(error)")
            }
            guard attempt < limits.attempts, !Task.isCancelled else { throw failure }
            attempt += 1
            // Many hosts that were refused together do not come back together.
            await loop.sleep(for: pause * Double.random(in: 0.5...1))
            pause = min(pause * 2, .seconds(20))
        }
    }

    private func request(
        _ method: String, _ key: String, _ fields: [HTTPField], _ object: String
    ) async throws -> HTTPRequest {
        let url: HTTPURL
        do throws(HTTPURLError) {
            url = try bucket.url(of: key)
        } catch {
            throw Failure.wrong(object: object, reason: "\(error)")
        }
        let known: AWSCredentials
        do throws(CredentialsError) {
            known = try await credentials.credentials()
        } catch {
            throw Failure.credentials(object: object, error)
        }
        var request = HTTPRequest(method, url, fields: fields)
        SignatureV4(region: bucket.region, service: "s3").sign(
            &request, payload: .bytes([]), credentials: known, at: clock() + skew)
        return request
    }
}
