import Deployment
import Foundation
import HTTP
import Supervisor
import TestKit
import Testing
import Transport

@testable import AWS

/// ``S3Store`` beside moto, which checks signatures, and with faults between the two.
@Suite(.serialized, .timeLimit(.minutes(5))) struct S3StoreTests {
    private static let shared = Result { try MotoServer() }

    /// One bucket, one fault proxy, and a store of its own for each test.
    private final class World: Sendable {
        let loop: EventLoop
        let moto: MotoServer
        let proxy: FaultProxy
        let port: Int
        let bucket: String
        let folder = TemporaryFolder("s3")
        let log = Guarded<[String]>([])
        let progress = Guarded<[FetchProgress]>([])

        init() async throws {
            loop = try .onOwnThread()
            moto = try await offload { try S3StoreTests.shared.get() }
            proxy = FaultProxy(to: moto.port, loop: loop)
            port = try await proxy.listen()
            bucket = "counter-prod-\(UInt32.random(in: 0 ... .max))"
            let (moto, bucket) = (moto, bucket)
            try await offload { try moto.makeBucket(bucket) }
        }

        deinit { loop.stop() }

        func publisher(idle: Duration = .seconds(100)) throws -> S3Publisher {
            let bucket = S3Bucket(
                name: bucket, region: "eu-central-1",
                endpoint: try HTTPURL("http://127.0.0.1:\(port)"))
            var limits = S3Client.Limits()
            limits.firstPause = .milliseconds(5)
            limits.deadline = .seconds(100)
            limits.uploadIdle = idle
            let client = S3Client(
                bucket,
                credentials: FixedCredentials(
                    AWSCredentials(accessKeyID: moto.key, secretAccessKey: moto.secret)),
                client: HTTPClient(loop: loop), loop: loop, limits: limits)
            return S3Publisher(
                bucket, application: "counter", environment: "prod", client: client)
        }

        /// A package on this host.
        func package(_ bytes: [UInt8]) throws -> UploadedPackage {
            try Files.write(bytes, folder("package"))
            return UploadedPackage(
                path: folder("package"), byteCount: Int64(bytes.count),
                sha256: Digest.text(Digest.sha256(bytes)))
        }

        func store(
            secret: String? = nil, clock: @escaping @Sendable () -> Int = { Int(time(nil)) },
            bucket name: String? = nil, idle: Duration = .seconds(100)
        ) throws -> S3Store {
            let bucket = S3Bucket(
                name: name ?? bucket, region: "eu-central-1",
                endpoint: try HTTPURL("http://127.0.0.1:\(port)"))
            var limits = S3Client.Limits()
            limits.firstPause = .milliseconds(5)
            limits.deadline = .seconds(100)
            limits.idle = idle
            let client = S3Client(
                bucket,
                credentials: FixedCredentials(
                    AWSCredentials(
                        accessKeyID: moto.key, secretAccessKey: secret ?? moto.secret)),
                client: HTTPClient(loop: loop), loop: loop, limits: limits, clock: clock)
            return S3Store(
                bucket, application: "counter", environment: "prod", client: client,
                packages: FetchedPackages(
                    folder: folder("packages/counter"), application: "counter",
                    files: HostFileSystem()),
                loop: loop,
                reports: .init(
                    log: { [self] _, text in log.withLock { $0.append(text) } },
                    progress: { [self] found in
                        if let found { progress.withLock { $0.append(found) } }
                    }))
        }

        func put(_ bytes: [UInt8], _ key: String, inParts: Bool = false) async throws {
            let (moto, bucket, path) = (moto, bucket, folder("upload"))
            try await offload {
                try Files.write(bytes, path)
                try moto.put(path, at: key, in: bucket, inParts: inParts)
            }
        }

        func publish(_ text: String) async throws {
            try await put(Array(text.utf8), "versions/counter/prod/current.json")
        }

        func publishPackage(
            _ version: String, byteCount: Int = 3_000_000, inParts: Bool = false
        ) async throws -> [UInt8] {
            var chance = SeededRandom(seed: UInt64(byteCount))
            let bytes = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &chance) }
            try await put(bytes, "dist/counter/counter-\(version).tar.gz", inParts: inParts)
            return bytes
        }

        var left: [String] {
            let path = folder("packages/counter")
            return Files.exists(path) ? Files.names(path).sorted() : []
        }
    }

    private struct FixedCredentials: CredentialsSource {
        let value: AWSCredentials

        init(_ value: AWSCredentials) { self.value = value }

        func credentials() async throws(CredentialsError) -> AWSCredentials { value }
        func invalidate() async {}
    }

    @Test func `what is published is read, and sent again only when it has changed`() async throws {
        let world = try await World()
        let store = try world.store()
        #expect(try await store.current() == nil)
        try await world.publish(#"{"version":"1.0.0","hash":"a"}"#)
        #expect(try await store.current() == Release(version: "1.0.0", hash: "a"))
        await world.proxy.expect([])
        #expect(try await store.current() == Release(version: "1.0.0", hash: "a"))
        #expect(await world.proxy.statuses == [304])
        try await world.publish(#"{"version":"1.0.1","hash":"b"}"#)
        #expect(try await store.current() == Release(version: "1.0.1", hash: "b"))
        try await world.publish("nonsense")
        await #expect(throws: StoreError.invalid(path: store.catalog, .notJSON(offset: 1))) {
            try await store.current()
        }
        #expect(store.catalog == "s3://\(world.bucket)/versions/counter/prod/current.json")
    }

    @Test func `a package is fetched once, for all who ask, and not again after a restart`()
        async throws
    {
        let world = try await World()
        let bytes = try await world.publishPackage("1.0.0")
        let release = try Release(version: "1.0.0", hash: "a")
        let store = try world.store()
        await world.proxy.expect([])
        async let first = store.package(of: release, into: "/nowhere")
        async let second = store.package(of: release, into: "/nowhere")
        let path = try await first.path
        #expect(try await second.path == path)
        #expect(Files.bytes(path) == bytes)
        #expect(try await store.package(of: release, into: "/nowhere").path == path)
        let later = try world.store()
        #expect(try await later.package(of: release, into: "/nowhere").path == path)
        #expect(await world.proxy.requests.count == 1)
        // One that cannot be unpacked is fetched anew.
        await later.discard(LocalPackage(path: path))
        #expect(world.left.isEmpty)
        #expect(try await later.package(of: release, into: "/nowhere").path == path)
        #expect(await world.proxy.requests.count == 2)
        #expect(world.progress.withLock { $0.last?.version } == "1.0.0")
    }

    @Test(arguments: [false, true])
    func `after each cut the rest is asked for, also of what was uploaded in parts`(
        inParts: Bool
    ) async throws {
        let world = try await World()
        let bytes = try await world.publishPackage("1.0.0", byteCount: 12_000_000, inParts: inParts)
        let store = try world.store()
        let cuts = (1...7).map { FaultProxy.Fault.cut(after: 300_000 * $0) }
        await world.proxy.expect(cuts)
        let release = try Release(version: "1.0.0")
        let path = try await store.package(of: release, into: "/nowhere").path
        #expect(Files.bytes(path) == bytes)
        let requests = await world.proxy.requests
        #expect(requests.count == 8)
        #expect(requests.dropFirst().allSatisfy { $0.contains("bytes=") })
        #expect(world.left.count == 1)
    }

    @Test func `a server that falls silent is asked for the rest`() async throws {
        let world = try await World()
        let bytes = try await world.publishPackage("1.0.0")
        let store = try world.store(idle: .seconds(2))
        await world.proxy.expect([.stall(after: 1_000_000)])
        let path = try await store.package(of: Release(version: "1.0.0"), into: "/nowhere").path
        #expect(Files.bytes(path) == bytes)
        #expect(await world.proxy.requests.dropFirst().contains { $0.contains("bytes=") })
    }

    @Test func `what another object has replaced meanwhile is fetched from its beginning`()
        async throws
    {
        let world = try await World()
        _ = try await world.publishPackage("1.0.0", byteCount: 2_000_000)
        let store = try world.store()
        // The client's pauses end before the second upload, or after it: both must be right.
        await world.proxy.expect([.cut(after: 1_000_000), .answer(Self.unavailable)])
        let release = try Release(version: "1.0.0")
        let package = Task { try await store.package(of: release, into: "/nowhere") }
        try await eventually { await world.proxy.isDone }
        let bytes = try await world.publishPackage("1.0.0", byteCount: 2_100_000)
        let path = try await package.value.path
        let found = Files.bytes(path)
        #expect(found == bytes || found.count == 2_000_000)
    }

    @Test func `an object is never glued to another`() async throws {
        let world = try await World()
        _ = try await world.publishPackage("1.0.0", byteCount: 2_000_000)
        let store = try world.store()
        let release = try Release(version: "1.0.0")
        // All attempts of one fetch fail after its first part has come.
        await world.proxy.expect(
            [.cut(after: 1_000_000)] + Array(repeating: .answer(Self.unavailable), count: 5))
        await #expect(throws: StoreError.self) {
            try await store.package(of: release, into: "/nowhere")
        }
        let bytes = try await world.publishPackage("1.0.0", byteCount: 2_100_000)
        await world.proxy.expect([])
        let path = try await store.package(of: release, into: "/nowhere").path
        #expect(Files.bytes(path) == bytes)
        let requests = await world.proxy.requests
        #expect(requests.count == 2 && requests[0].contains("bytes="))
        #expect(!requests[1].contains("bytes="))
    }

    @Test func `wrong bytes are refused, and nothing of them stays`() async throws {
        let world = try await World()
        _ = try await world.publishPackage("1.0.0")
        let store = try world.store()
        await world.proxy.expect([.changed(byte: 1_500_000)])
        let release = try Release(version: "1.0.0")
        let error = await #expect(throws: StoreError.self) {
            try await store.package(of: release, into: "/nowhere")
        }
        #expect("\(try #require(error))".contains("its CRC32 is "))
        #expect(world.left.isEmpty)
        let strict = try Release(
            version: "1.0.0", sha256: String(repeating: "0", count: 64))
        let other = await #expect(throws: StoreError.self) {
            try await store.package(of: strict, into: "/nowhere")
        }
        #expect("\(try #require(other))".contains("its SHA-256 is "))
        #expect(world.left.isEmpty)
        _ = try await store.package(of: release, into: "/nowhere")
        #expect(world.left.count == 1)
    }

    private static let unavailable =
        "HTTP/1.1 503 Slow Down\r\nContent-Length: 49\r\n\r\n"
        + "<Error><Code>SlowDown</Code><Message/></Error>   "

    @Test(arguments: [
        unavailable,
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    ])
    func `what passes is asked again`(answer: String) async throws {
        let world = try await World()
        let bytes = try await world.publishPackage("1.0.0", byteCount: 1000)
        try await world.publish(#"{"version":"1.0.0"}"#)
        let store = try world.store()
        await world.proxy.expect([.answer(answer), .answer(answer)])
        #expect(try await store.current()?.version == "1.0.0")
        await world.proxy.expect([.answer(answer), .answer(answer)])
        let release = try Release(version: "1.0.0")
        let path = try await store.package(of: release, into: "/nowhere").path
        #expect(Files.bytes(path) == bytes)
    }

    @Test func `a server that never answers well changes nothing, and is named`() async throws {
        let world = try await World()
        try await world.publish(#"{"version":"1.0.0"}"#)
        let store = try world.store()
        await world.proxy.expect(Array(repeating: .answer(Self.unavailable), count: 5))
        let error = await #expect(throws: StoreError.self) { try await store.current() }
        let text = "\(try #require(error))"
        #expect(text.contains("s3://\(world.bucket)/versions/") && text.contains("SlowDown"))
        #expect(await world.proxy.isDone)
        #expect(try await store.current()?.version == "1.0.0")
    }

    @Test func `a bucket in another region is asked there`() async throws {
        let world = try await World()
        try await world.publish(#"{"version":"1.0.0"}"#)
        let store = try world.store()
        let moved =
            "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-3\r\n"
            + "Content-Length: 0\r\n\r\n"
        await world.proxy.expect([.answer(moved)])
        #expect(try await store.current()?.version == "1.0.0")
        // Who sends us round in a circle is told so.
        let back = moved.replacingOccurrences(of: "eu-west-3", with: "eu-west-9")
        await world.proxy.expect([.answer(back), .answer(moved)])
        await #expect(throws: StoreError.self) { try await store.current() }
    }

    @Test func `a clock that is wrong is corrected once, by the server's`() async throws {
        let world = try await World()
        try await world.publish(#"{"version":"1.0.0"}"#)
        let skewed =
            "HTTP/1.1 403 Forbidden\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\n"
            + "Content-Length: 80\r\n\r\n"
            + "<Error><Code>RequestTimeTooSkewed</Code><Message>far off</Message></Error>      "
        let store = try world.store(clock: { 1_000_000_000 })
        await world.proxy.expect([.answer(skewed)])
        #expect(try await store.current()?.version == "1.0.0")
        await world.proxy.expect([.answer(skewed), .answer(skewed)])
        let error = await #expect(throws: StoreError.self) { try await store.current() }
        #expect("\(try #require(error))".contains("this host's clock differs"))
    }

    @Test func `who may not read is told what is missing`() async throws {
        let world = try await World()
        try await world.publish(#"{"version":"1.0.0"}"#)
        let wrong = await #expect(throws: StoreError.self) {
            try await world.store(secret: "wrong").current()
        }
        #expect("\(try #require(wrong))".contains("the credentials are not valid"))
        #expect(!"\(try #require(wrong))".contains(world.moto.secret))
        let bucket = await #expect(throws: StoreError.self) {
            try await world.store(bucket: "no-such-bucket-here").current()
        }
        #expect("\(try #require(bucket))".contains("there is no such bucket"))
        let release = try Release(version: "9.9.9")
        await #expect(
            throws: StoreError.missingPackage(
                path: "s3://\(world.bucket)/dist/counter/counter-9.9.9.tar.gz")
        ) { try await world.store().package(of: release, into: "/nowhere") }
        let denied =
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 72\r\n\r\n"
            + "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        await world.proxy.expect([.answer(denied)])
        let error = await #expect(throws: StoreError.self) {
            try await world.store().package(of: release, into: "/nowhere")
        }
        #expect("\(try #require(error))".contains("s3:ListBucket"))
    }

    @Test func `a version without a hash is the newest build that is here`() async throws {
        let world = try await World()
        let store = try world.store()
        _ = try await world.publishPackage("1.0.0", byteCount: 1000)
        _ = try await store.package(of: Release(version: "1.0.0", hash: "a"), into: "/nowhere")
        let other = try await world.publishPackage("1.0.0", byteCount: 1001)
        let newest = try await store.package(
            of: Release(version: "1.0.0", hash: "b"), into: "/nowhere"
        ).path
        _ = try await world.publishPackage("1.0.0-rc.1", byteCount: 1002)
        _ = try await store.package(of: Release(version: "1.0.0-rc.1"), into: "/nowhere")
        await world.proxy.expect([])
        let path = try await store.package(of: Release(version: "1.0.0"), into: "/nowhere").path
        #expect(path == newest && Files.bytes(path) == other)
        #expect(await world.proxy.requests.isEmpty)
    }

    @Test func `a build that was fetched without a hash is not taken for the newest`() async throws
    {
        let world = try await World()
        let store = try world.store()
        _ = try await world.publishPackage("1.0.0", byteCount: 1000)
        _ = try await store.package(of: Release(version: "1.0.0"), into: "/nowhere")
        let newer = try await world.publishPackage("1.0.0", byteCount: 1001)
        _ = try await store.package(of: Release(version: "1.0.0", hash: "b"), into: "/nowhere")
        let path = try await store.package(of: Release(version: "1.0.0"), into: "/nowhere").path
        #expect(Files.bytes(path) == newer)
    }

    @Test func `a folder that somebody removes is made again, and what is here needs no S3`()
        async throws
    {
        let world = try await World()
        let store = try world.store()
        _ = try await world.publishPackage("1.0.0", byteCount: 1000)
        let release = try Release(version: "1.0.0")
        _ = try await store.package(of: release, into: "/nowhere")
        Files.remove(world.folder("packages"))
        _ = try await store.package(of: release, into: "/nowhere")
        #expect(world.left.count == 1)
        await world.proxy.expect([])
        try await store.requirePackage(of: release)
        #expect(await world.proxy.requests.isEmpty)
        let missing = try Release(version: "9.9.9")
        await #expect(throws: StoreError.self) { try await store.requirePackage(of: missing) }
    }

    @Test func `a fetch is given up when another release is published, and gone on with if wanted`()
        async throws
    {
        let world = try await World()
        let store = try world.store()
        let bytes = try await world.publishPackage("1.0.0")
        try await world.publish(#"{"version":"1.0.0","hash":"a"}"#)
        let release = try #require(try await store.current())
        await world.proxy.expect([.stall(after: 1_000_000)])
        let fetch = Task { try await store.package(of: release, into: "/nowhere") }
        try await eventually("a part has come") {
            world.progress.withLock { $0.last?.byteCount ?? 0 } > 900_000
        }
        // The same again is no reason.
        _ = try await store.current()
        try await world.publish(#"{"version":"1.0.1","hash":"b"}"#)
        #expect(try await store.current()?.version == "1.0.1")
        await #expect(throws: StoreError.self) { try await fetch.value }
        #expect(world.log.withLock { $0.contains { $0.contains("1.0.0 is given up: 1.0.1") } })
        await world.proxy.expect([])
        let path = try await store.package(of: release, into: "/nowhere").path
        #expect(Files.bytes(path) == bytes)
        #expect(await world.proxy.requests.count == 1)
        #expect(await world.proxy.requests.first?.contains("bytes=") == true)
    }

    @Test func `an upload says how far it is, and one that nobody answers is sent again`()
        async throws
    {
        let world = try await World()
        let publisher = try world.publisher(idle: .seconds(2))
        let release = try Release(version: "1.0.0")
        let package = try world.package([UInt8](repeating: 1, count: 3_000_000))
        let told = Guarded<[Int64]>([])
        // The question whether there is one; then the package, whose answer never comes.
        await world.proxy.expect([.pass, .stall(after: 0)])
        try await publisher.upload(package, of: release, signature: nil) { count in
            told.withLock { $0.append(count) }
        }
        #expect(await world.proxy.requests.filter { $0.hasPrefix("PUT") }.count >= 2)
        #expect(try await publisher.publishedSHA256(of: release) == package.sha256)
        let counts = told.withLock { $0 }
        #expect(counts.last == 3_000_000 && Set(counts).count > 3, "\(counts)")
    }

    @Test func `two who publish the same version at once do not mix their files`() async throws {
        let world = try await World()
        let publisher = try world.publisher()
        let release = try Release(version: "1.0.0")
        let theirs = [UInt8](repeating: 1, count: 2000)
        try await publisher.upload(
            world.package(theirs), of: release, signature: Array("theirs".utf8)
        ) { _ in }
        // Ours has seen nothing there, as the other one came in between.
        let nothing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        let ours = try world.package([UInt8](repeating: 2, count: 2000))
        await world.proxy.expect([.answer(nothing)])
        await #expect(throws: PublishError.conflict(publisher.catalog)) {
            try await publisher.upload(ours, of: release, signature: nil) { _ in }
        }
        await world.proxy.expect([.answer(nothing)])
        await #expect(throws: PublishError.conflict(publisher.catalog)) {
            try await publisher.upload(ours, of: release, signature: Array("ours".utf8)) { _ in }
        }
        await world.proxy.expect([])
        let there = Digest.text(Digest.sha256(theirs))
        #expect(try await publisher.publishedSHA256(of: release) == there)
        // The same bytes are no conflict: an answer may have been lost.
        await world.proxy.expect([.answer(nothing)])
        try await publisher.upload(world.package(theirs), of: release, signature: nil) { _ in }
        // What is there may be replaced by whoever has seen it.
        await world.proxy.expect([])
        try await publisher.upload(
            world.package([UInt8](repeating: 2, count: 2000)), of: release, signature: nil
        ) { _ in }
        #expect(try await publisher.publishedSHA256(of: release) != there)
    }

    @Test func `current.json is swapped only from what it was`() async throws {
        let world = try await World()
        let publisher = try world.publisher()
        #expect(try await publisher.readCurrent() == nil)
        try await publisher.swapCurrent(to: Array("1".utf8), expecting: nil)
        let first = try #require(try await publisher.readCurrent())
        await #expect(throws: PublishError.conflict(publisher.catalog)) {
            try await publisher.swapCurrent(to: Array("2".utf8), expecting: nil)
        }
        try await publisher.swapCurrent(to: Array("2".utf8), expecting: first.token)
        await #expect(throws: PublishError.conflict(publisher.catalog)) {
            try await publisher.swapCurrent(to: Array("3".utf8), expecting: first.token)
        }
        // Ours is there: the answer was lost.
        try await publisher.swapCurrent(to: Array("2".utf8), expecting: first.token)
    }

    @Test func `only the newest packages are kept, and what an earlier run left goes`()
        async throws
    {
        let world = try await World()
        let store = try world.store()
        try Files.makeFolders(world.folder("packages/counter"))
        chmod(world.folder("packages/counter"), 0o700)
        try Files.write([1], world.folder("packages/counter/x.tar.gz.part"))
        for version in 1...6 {
            _ = try await world.publishPackage("1.0.\(version)", byteCount: 1000)
            let release = try Release(version: "1.0.\(version)")
            _ = try await store.package(of: release, into: "/nowhere")
        }
        #expect(world.left.map { String($0.prefix(13)) } == (3...6).map { "counter-1.0.\($0)" })
    }
}
