import Glibc
import TestKit
import Testing

@testable import Transport

@Suite struct TLSContextTests {
    let files: TLSFiles

    init() throws {
        files = try TLSFiles.shared.get()
    }

    private func load(
        _ certificate: String, key: String? = nil, password: String? = nil,
        _ change: (inout TLSConfiguration) -> Void = { _ in }
    ) throws(TLSConfigurationError) {
        var configuration = files.configuration("node")
        configuration.certificateFile = files.path(certificate)
        configuration.keyFile = key.map { files.path($0) }
        configuration.keyPassword = password
        change(&configuration)
        _ = try TLSContext(configuration, role: .server)
    }

    @Test func `a key may be in the certificate's file`() throws {
        try load("both.pem")
    }

    @Test func `a missing file is named with its kind`() {
        #expect(
            throws: TLSConfigurationError.unreadable(
                .certificate, path: files.path("absent"), reason: "no such file or directory")
        ) { try load("absent") }
        #expect(
            throws: TLSConfigurationError.unreadable(
                .key, path: files.path("absent"), reason: "no such file or directory")
        ) { try load("node.crt", key: "absent") }
        let error = #expect(throws: TLSConfigurationError.self) {
            try load("node.crt", key: "node.key") { $0.authorities = .files(["/absent"]) }
        }
        #expect(
            error?.description == "the CA file /absent cannot be read: no such file or directory")
    }

    @Test func `a file without what it should hold is refused`() {
        #expect(
            throws: TLSConfigurationError.invalid(
                .certificate, path: files.path("nothing.pem"), reason: "it holds no PEM certificate"
            )
        ) { try load("nothing.pem", key: "node.key") }
        #expect(
            throws: TLSConfigurationError.invalid(
                .key, path: files.path("nothing.pem"), reason: "it holds no PEM private key")
        ) { try load("node.crt", key: "nothing.pem") }
        #expect(
            throws: TLSConfigurationError.unreadable(
                .certificate, path: "/tmp", reason: "is a directory")
        ) { try load("node.crt") { $0.certificateFile = "/tmp" } }
    }

    @Test func `another certificate's key is refused`() {
        #expect(
            throws: TLSConfigurationError.keyMismatch(
                certificate: files.path("node.crt"), key: files.path("renewed.key"))
        ) { try load("node.crt", key: "renewed.key") }
    }

    @Test func `an encrypted key needs its password`() throws {
        try load("locked.crt", key: "locked.key", password: "sesame")
        #expect(throws: TLSConfigurationError.missingPassword(path: files.path("locked.key"))) {
            try load("locked.crt", key: "locked.key")
        }
        #expect(throws: TLSConfigurationError.wrongPassword(path: files.path("locked.key"))) {
            try load("locked.crt", key: "locked.key", password: "open")
        }
    }

    @Test(arguments: ["NO-SUCH-CIPHER", "aNULL", "HIGH", "", "AECDH-AES128-SHA", "DEFAULT:aNULL"])
    func `a cipher that does not exist, or that authenticates nobody, is refused by name`(
        name: String
    ) {
        #expect(throws: TLSConfigurationError.unknownCipher(name)) {
            try load("node.crt", key: "node.key") {
                $0.ciphers = ["ECDHE-ECDSA-AES128-GCM-SHA256", name]
            }
        }
    }

    @Test func `suites of TLS 1_3 are checked one by one`() throws {
        try load("node.crt", key: "node.key") { $0.suites = ["TLS_AES_256_GCM_SHA384"] }
        #expect(throws: TLSConfigurationError.unknownCipher("TLS_NO")) {
            try load("node.crt", key: "node.key") {
                $0.suites = ["TLS_AES_256_GCM_SHA384", "TLS_NO"]
            }
        }
    }

    @Test func `a server without a certificate is refused, a client is not`() throws {
        let configuration = files.configuration(nil)
        #expect(throws: TLSConfigurationError.missingCertificate) {
            try TLSContext(configuration, role: .server)
        }
        _ = try TLSContext(configuration, role: .client)
    }

    @Test func `a host that cannot be a name is refused`() throws {
        let context = try TLSContext(files.configuration("node"), role: .client)
        let long = String(repeating: "a", count: 300)
        for host in ["", long, "a\0b"] {
            #expect(throws: TLSConfigurationError.invalidServerName(host)) {
                try context.makeEngine(host: host)
            }
        }
    }

    // MARK: Reports and reloading

    private final class Reports: Sendable {
        let texts = Guarded<[String]>([])
        func add(_ report: TLSContext.Report) { texts.withLock { $0.append(report.description) } }
        var all: [String] { texts.withLock { $0 } }
    }

    /// A folder of its own with `node`'s files under other names.
    private func copies(_ name: String) throws -> TLSConfiguration {
        let folder = files.path(name)
        mkdir(folder, 0o700)
        try install("node.crt", as: "own.crt", in: folder)
        try install("node.key", as: "own.key", in: folder)
        var configuration = files.configuration("node")
        configuration.certificateFile = "\(folder)/own.crt"
        configuration.keyFile = "\(folder)/own.key"
        return configuration
    }

    private func install(_ name: String, as copy: String, in folder: String) throws {
        try ChildProcess.run("cp", [files.path(name), "\(folder)/\(copy)"])
    }

    private func subject(_ context: TLSContext) async throws -> String? {
        await context.look()
        let client = try TLSContext(files.configuration("node"), role: .client)
            .makeEngine(host: "node")
        let server = try context.makeEngine()
        _ = client.start()
        _ = server.received(client.takeOutgoing())
        _ = client.received(server.takeOutgoing())
        return client.session.peerCertificate?.subject
    }

    @Test func `a renewed certificate serves new connections, a broken one changes nothing`()
        async throws
    {
        let configuration = try copies("reload")
        let folder = files.path("reload")
        let reports = Reports()
        let context = try TLSContext(configuration, role: .server) { reports.add($0) }
        #expect(try await subject(context) == "node")
        #expect(reports.all.isEmpty)

        try install("renewed.crt", as: "own.crt", in: folder)
        #expect(try await subject(context) == "node")
        #expect(try await subject(context) == "node")
        #expect(
            reports.all == [
                "The changed TLS files are not used, the former ones are: the private key in"
                    + " \(folder)/own.key does not belong to the certificate in \(folder)/own.crt"
            ])

        try install("renewed.key", as: "own.key", in: folder)
        #expect(try await subject(context) == "renewed")
        #expect(reports.all.last == "The TLS files have changed and are in use for new connections")

        unlink("\(folder)/own.crt")
        #expect(try await subject(context) == "renewed")
        #expect(reports.all.count == 3)
    }

    @Test(
        arguments: [
            ("own.key", 0o644, "can be read by everyone"), ("own.key", 0o622, "can be written to"),
            ("own.crt", 0o666, "can be written to by everyone"),
        ] as [(String, mode_t, String)])
    func `a key that others can read, and what they can write to, is refused`(
        name: String, mode: mode_t, problem: String
    ) throws {
        let folder = "open-\(mode)"
        let configuration = try copies(folder)
        chmod(files.path("\(folder)/\(name)"), mode)
        let error = #expect(throws: TLSConfigurationError.self) {
            try TLSContext(configuration, role: .client)
        }
        let text = error?.description ?? ""
        #expect(text.contains(" file: \(files.path("\(folder)/\(name)")) \(problem)"), "\(text)")
        chmod(files.path("\(folder)/\(name)"), 0o600)
        _ = try TLSContext(configuration, role: .client)
    }

    @Test func `a key in the certificate's file is a secret as well`() throws {
        chmod(files.path("opened.pem"), 0o644)
        #expect(throws: TLSConfigurationError.self) { try load("opened.pem") }
        chmod(files.path("opened.pem"), 0o600)
        try load("opened.pem")
    }

    @Test(
        .enabled(if: geteuid() == 0, "only root can give files away"),
        arguments: ["own.crt", "own.key"])
    func `files of another user are refused, also those that are given to him later`(
        name: String
    ) async throws {
        let configuration = try copies("given-\(name)")
        let reports = Reports()
        let context = try TLSContext(configuration, role: .server) { reports.add($0) }
        chown(files.path("given-\(name)/\(name)"), 54321, 54321)
        let error = #expect(throws: TLSConfigurationError.self) {
            try TLSContext(configuration, role: .server)
        }
        #expect(error?.description.contains("belongs to uid 54321") == true)
        #expect(try await subject(context) == "node")
        #expect(reports.all.count == 1)
        #expect(reports.all.first?.contains("belongs to uid 54321") == true)
    }

    /// Blocks a thread of its own, never the one that waits.
    @Test func `files are looked at on another thread, and whoever comes meanwhile shares a look`()
        async
    {
        let count = Guarded(0)
        let thread = pthread_self()
        let look = SharedLook {
            #expect(pthread_equal(pthread_self(), thread) == 0)
            count.withLock { $0 += 1 }
            usleep(10_000)
        }
        await withTaskGroup { group in
            for _ in 0..<100 { group.addTask { await look() } }
        }
        #expect((1...100).contains(count.withLock { $0 }))
        #expect(count.withLock { $0 } < 50)
        let before = count.withLock { $0 }
        await look()
        #expect(count.withLock { $0 } == before + 1)
    }

    @Test func `our own certificate says how long it is valid`() throws {
        let own = try #require(try TLSCertificate.own(files.configuration("node")))
        #expect((own.expiry ?? 0) > Int(time(nil)))
        let expired = try #require(try TLSCertificate.own(files.configuration("expired")))
        #expect((expired.expiry ?? .max) < Int(time(nil)))
        #expect(!own.subject.isEmpty && !own.issuer.isEmpty)
        #expect(try TLSCertificate.own(TLSConfiguration()) == nil)
        var absent = TLSConfiguration()
        absent.certificateFile = files.path("absent")
        #expect(throws: TLSConfigurationError.self) { try TLSCertificate.own(absent) }
    }

    @Test func `a certificate of ours that has expired is reported`() throws {
        let reports = Reports()
        _ = try TLSContext(files.configuration("expired"), role: .client) { reports.add($0) }
        #expect(reports.all.count == 1)
        #expect(reports.all.first?.contains("expired.crt expired on ") == true)
    }
}
