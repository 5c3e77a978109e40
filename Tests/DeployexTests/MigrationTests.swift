import AWS
import Deployment
import Foundation
import Glibc
import TestKit
import Testing

@testable import deployex

/// `packaging/examples/migrate-config.py`: the Elixir Deployex's configuration becomes one that
/// deployex takes.
@Suite struct MigrationTests {
    private let folder = TemporaryFolder("migrate")

    private func migrate(_ yaml: String) throws -> (json: String, notes: String, status: Int32) {
        folder.write(yaml, "deployex.yaml")
        let child = try ChildProcess(
            BuiltProgram.root + "/.build/python/bin/python",
            [
                BuiltProgram.root + "/packaging/examples/migrate-config.py",
                folder("deployex.yaml"),
            ], output: .pipe, errors: .file(folder("notes")))
        let result = try child.wait(within: .seconds(120))
        return (result.output, folder.text("notes") ?? "", result.status)
    }

    @Test func `what has an equivalent is carried over, and the rest is named`() throws {
        let found = try migrate(
            """
            account_name: "prod"
            hostname: "deployex.example.com"
            port: 5001
            release_adapter: "s3"
            release_bucket: "myapp-prod-distribution"
            secrets_adapter: "aws"
            secrets_path: "deployex-myapp-prod-secrets"
            aws_region: "sa-east-1"
            version: "0.9.1"
            otp_version: 28
            otp_tls_certificates: "/usr/local/share/ca-certificates"
            os_target: "ubuntu-24.04"
            deploy_rollback_timeout_ms: 300000
            surprise: 1
            monitoring:
              - type: "memory"
                enable_restart: true
                warning_threshold_percent: 75
                restart_threshold_percent: 85
            applications:
              - name: "myapp"
                language: "elixir"
                replicas: 2
                deploy_schedule_interval_ms: 2500
                replica_ports:
                  - key: PORT
                    base: 4000
                  - key: METRICS_PORT
                    base: 9000
                env:
                  - key: MYAPP_PHX_SERVER
                    value: true
                  - key: POOL
                    value: 10
                monitoring:
                  - type: "atom"
                    enable_restart: false
                    warning_threshold_percent: 70
              - name: "other"
                language: "gleam"
                replicas: 1
                initial_port: 4100
            """)
        #expect(found.status == 0)
        for text in ["otp_tls_certificates", "METRICS_PORT", "surprise is not known", "`user`"] {
            #expect(found.notes.contains(text), "\(found.notes)")
        }
        #expect(found.notes.split(separator: "\n").count == 4)
        let file = try ConfigurationFile(path: "/d.json", bytes: Array(found.json.utf8))
        let configuration = try ServerConfiguration(file: file, environment: [:])
        #expect(configuration.keepsOwnLog)
        #expect(configuration.secrets.name == "deployex-myapp-prod-secrets")
        #expect(configuration.dashboard.url == "http://deployex.example.com:5001")
        let (first, second) = (configuration.applications[0], configuration.applications[1])
        #expect(
            first.storage.place
                == .bucket(S3Bucket(name: "myapp-prod-distribution", region: "sa-east-1")))
        #expect(first.storage.environment == "prod" && second.storage.place == first.storage.place)
        #expect(first.variables == ["MYAPP_PHX_SERVER": "true", "POOL": "10"])
        #expect(first.replicas == 2 && first.firstPort == 4000 && second.firstPort == 4100)
        #expect(first.timings.readyTimeout == .seconds(300))
        #expect(first.timings.pollInterval == .milliseconds(2500))
        #expect(first.thresholds[.memory] == Threshold(warn: 75, restart: 85))
        #expect(first.thresholds[.atoms] == Threshold(warn: 70, restart: nil))
        #expect(second.thresholds[.atoms] == nil)
    }

    /// The guide's commands, with this folder in place of the host's root.
    private func commands() throws -> [String] {
        let contents = FileManager.default.contents(
            atPath: BuiltProgram.root + "/docs/guides/moving-over.md")
        let text = String(decoding: try #require(contents), as: UTF8.self)
        return text.components(separatedBy: "```sh\n").dropFirst().map { part in
            var block = part.components(separatedBy: "```")[0]
            // The settings name their files by the paths that they have on the host.
            for path in ["/etc/", "/opt/", "/var/", "/usr/", "/root/"] {
                block = block.replacingOccurrences(of: " \(path)", with: " \(folder.path)\(path)")
            }
            return
                block
                .replacingOccurrences(of: "-o root -g deployex ", with: "")
                .replacingOccurrences(of: "-o deployex -g deployex ", with: "")
        }
    }

    @Test func `the guide's commands move a made-up host there and back`() throws {
        let blocks = try commands()
        #expect(blocks.count == 6)
        for name in [
            "etc/systemd/system", "etc/deployex", "opt/deployex/bin", "var/lib/deployex/storage",
            "var/log/deployex", "usr/local/share/ca-certificates", "root/moving", "bin", "work",
        ] { try Files.makeFolders(folder(name)) }
        folder.write(
            "[Service]\nEnvironment=DEPLOYEX_CLOUD_ENVIRONMENT=prod\n"
                + "Environment=DEPLOYEX_ERLANG_COOKIE=an-old=cookie\n",
            "etc/systemd/system/deployex.service")
        folder.write("elixir", "opt/deployex/bin/deployex")
        folder.write("old", "var/lib/deployex/storage/history")
        for name in ["ca.crt", "deployex.crt", "deployex.key"] {
            folder.write(name, "usr/local/share/ca-certificates/\(name)", mode: 0o600)
        }
        folder.write("", "root/moving/deployex_1.0_amd64.deb")
        folder.write(
            """
            account_name: "prod"
            release_adapter: "local"
            release_path: "/srv/deployex"
            secrets_adapter: "env"
            applications:
              - name: "myapp"
                replicas: 2
                initial_port: 4000
            """, "work/deployex.yaml")
        let script = BuiltProgram.root + "/packaging/examples/migrate-config.py"
        try FileManager.default.copyItem(atPath: script, toPath: folder("work/migrate-config.py"))
        // What belongs to the whole host only says that it was asked.
        for name in ["systemctl", "apt-get", "deployex"] {
            let made = name == "apt-get" ? "mkdir -p '\(folder.path)/var/lib/deployex'\n" : ""
            folder.write(
                "#!/bin/sh\necho \(name) \"$@\" >> '\(folder("asked"))'\n" + made, "bin/\(name)",
                mode: 0o755)
        }
        let python = BuiltProgram.root + "/.build/python/bin/python"
        folder.write("#!/bin/sh\nexec '\(python)' \"$@\"\n", "bin/python3", mode: 0o755)
        func follow(_ blocks: ArraySlice<String>) throws {
            _ = try ChildProcess.run(
                "/bin/sh", ["-ec", "cd '\(folder("work"))'\n" + blocks.joined()],
                environment: ["PATH": "\(folder("bin")):\(ThisHost.path)"])
        }
        try follow(blocks[..<5])
        #expect(!Files.exists(folder("etc/systemd/system/deployex.service")))
        #expect(folder.text("var/lib/deployex.old/storage/history") == "old")
        #expect(folder.text("opt/deployex.old/bin/deployex") == "elixir")
        #expect(folder.text("etc/deployex/cookie") == "an-old=cookie\n")
        #expect(folder.text("etc/deployex/tls/deployex.key") == "deployex.key")
        func mode(_ path: String) throws -> mode_t {
            var status = stat()
            try #require(stat(folder(path), &status) == 0)
            return status.st_mode & 0o777
        }
        #expect(try mode("etc/deployex/cookie") == 0o400)
        #expect(try mode("etc/deployex/tls/deployex.key") == 0o640)
        #expect(try mode("etc/deployex/tls") == 0o750)
        let asked = folder.text("asked") ?? ""
        let order = ["systemctl disable --now deployex", "apt-get install", "systemctl start"]
        let places = order.compactMap { asked.firstRange(of: $0)?.lowerBound }
        #expect(places.count == 3 && places == places.sorted(), "\(asked)")

        // deployex takes what the guide has put there.
        let settings = (folder.text("etc/deployex/deployex.env") ?? "").split(separator: "\n")
        let pairs = settings.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        let variables = Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
        #expect(variables["DEPLOYEX_CONFIG"] == "/etc/deployex/deployex.json")
        #expect(variables["DEPLOYEX_COOKIE_FILE"] == "/etc/deployex/cookie")
        #expect(
            try DistributionOptions().merging(variables).tlsSource(
                certificateFolder: variables["DEPLOYEX_OTP_TLS_CERT_PATH"] ?? "")
                == .folder("/etc/deployex/tls"))
        let json = try #require(folder.text("etc/deployex/deployex.json"))
        let configuration = try ServerConfiguration(
            file: ConfigurationFile(path: "/d.json", bytes: Array(json.utf8)),
            environment: variables)
        #expect(configuration.applications.map(\.name) == ["myapp"])
        let cookie = try Cookie.lookFor(
            DistributionOptions(), environment: [:], file: folder("etc/deployex/cookie"),
            recorded: nil)
        #expect(cookie == "an-old=cookie")

        try follow(blocks[5...])
        #expect(folder.text("var/lib/deployex/storage/history") == "old")
        #expect(Files.exists(folder("etc/systemd/system/deployex.service")))
        #expect(folder.text("asked")?.hasSuffix("systemctl enable --now deployex\n") == true)
    }

    @Test(arguments: [
        ("applications: 7", "no list of applications"), ("- 1", "no list of applications"),
        ("a: [", "deployex.yaml: "), ("applications: [{replicas: 1}]", "not as Deployex wants it"),
    ])
    func `a file that cannot be used is one line`(yaml: String, text: String) throws {
        let found = try migrate(yaml)
        #expect(found.status == 1 && found.json.isEmpty)
        #expect(found.notes.contains(text) && !found.notes.contains("Traceback"))
    }
}
