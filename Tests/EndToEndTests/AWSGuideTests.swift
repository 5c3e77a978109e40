import Foundation
import Glibc
import TestKit
import Testing
import Transport

/// The commands and settings of `docs/guides/aws.md`, taken from it, against moto.
@Suite(.serialized) struct AWSGuideTests {
    /// `aws`, as far as the guide uses it.
    private static let tool = """
        import os, sys, boto3
        from botocore.config import Config
        def client(service):
            return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                                region_name=os.environ["AWS_REGION"],
                                config=Config(s3={"addressing_style": "path"}, proxies={}))
        words = sys.argv[1:]
        if words[:2] == ["s3", "mb"]:
            client("s3").create_bucket(
                Bucket=words[2].removeprefix("s3://"),
                CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_REGION"]})
        elif words[:2] == ["secretsmanager", "create-secret"]:
            options = dict(zip(words[2::2], words[3::2]))
            client("secretsmanager").create_secret(
                Name=options["--name"], SecretString=options["--secret-string"])
        else:
            sys.exit(f"aws {words}: not in this test")
        """

    /// The guide, with this test's application.
    private func guide() throws -> String {
        let contents = FileManager.default.contents(
            atPath: BuiltProgram.root + "/docs/guides/aws.md")
        return String(decoding: try #require(contents), as: UTF8.self)
            .replacingOccurrences(of: "myapp", with: "counter")
    }

    /// The block of code under a heading.
    private func block(_ heading: String, _ place: Int = 0, of guide: String) throws -> String {
        let section = try #require(guide.components(separatedBy: "## \(heading)\n").last)
        let parts = section.components(separatedBy: "\n```")
        try #require(parts.count > place * 2 + 1)
        return String(parts[place * 2 + 1].drop { $0 != "\n" }.dropFirst())
    }

    @Test func `the guide's commands bring a release from a bucket, with a cookie from a secret`()
        async throws
    {
        let guide = try guide()
        let moto = try await offload { try MotoServer() }
        let settings = try block("The host", 1, of: guide).split(separator: "\n").map { line in
            line.split(separator: "=", maxSplits: 1).map(String.init)
        }
        var variables = moto.variables
        for setting in settings { variables[setting[0]] = setting[1] }
        #expect(variables["DEPLOYEX_CLOUD_ENVIRONMENT"] == "prod")
        // The package's unit runs deployex as a user of its own.
        variables["DEPLOYEX_MONITORED_APP_USER"] = "\(getuid())"
        variables["DEPLOYEX_STORAGE_PATH"] = ""
        try await DeployexWorld.run(.init(cookie: "", variables: variables), isStarted: false) {
            world in
            let tools = world.folder + "/tools"
            try Files.makeFolders(tools)
            try Files.write(Array(Self.tool.utf8), tools + "/aws.py")
            try Files.write(
                Array(
                    ("#!/bin/sh\nexec '\(BuiltProgram.root)/.build/python/bin/python' "
                        + "'\(tools)/aws.py' \"$@\"\n").utf8), tools + "/aws", mode: 0o755)
            let made = try await world.run(
                "/bin/sh", ["-ec", try block("The bucket and the secret", of: guide)],
                environment: world.variables.merging(["PATH": "\(tools):\(ThisHost.path)"]) { $1 },
                timeout: .seconds(120))
            #expect(made.status == 0, "\(made)")

            try await world.start()
            let waiting = "No version is published yet: waiting for "
            let address = try #require(
                guide.replacingOccurrences(of: "\n", with: " ").components(separatedBy: waiting)
                    .last?.components(separatedBy: "`").first)
            #expect(address == "s3://counter-prod-distribution/versions/counter/prod/current.json")
            try await world.waitForLog(waiting + address)

            let line = try block("Publishing from CI", of: guide)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let words = try #require(line.components(separatedBy: " && deployex ").last)
                .split(separator: " ").map(String.init)
            #expect(words == ["publish", "_build/prod/counter-1.2.0.tar.gz"])
            let packages = try ExamplePackages.folder()
            for version in ["0.1.1", "0.1.2"] {
                let published = try await world.command(
                    words[0], "\(packages)/counter-\(version).tar.gz")
                #expect(published.status == 0, "\(published)")
                try await world.waitUntilAllRun(version)
            }
            #expect(try await world.status(of: 1).lastDeployment == "hot_upgrade")
            let pid = try #require(await world.answer(1)).osPID
            let cookie = ProcFolder.variable("RELEASE_COOKIE", of: pid) ?? ""
            #expect(cookie.utf8.count == 64 && cookie.allSatisfy(\.isHexDigit))
            #expect(!(await world.log).contains(cookie))
        }
    }
}
