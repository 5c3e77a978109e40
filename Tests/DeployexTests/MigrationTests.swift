import AWS
import Deployment
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
