import FoundationEssentials
import Glibc
import TestKit
import Testing
import Transport

/// Releases that are published in S3, played by moto with signatures checked, with faults on the
/// way.
@Suite(.serialized) struct S3EndToEndTests {
    @Test func `releases come from a bucket, each package once, through every fault`() async throws
    {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let moto = try await offload { try MotoServer() }
        try await offload { try moto.makeBucket("counter-local-distribution") }
        let proxy = FaultProxy(to: moto.port, loop: loop)
        let port = try await proxy.listen()
        let variables = moto.variables.merging([
            "DEPLOYEX_STORAGE_ADAPTER": "s3", "DEPLOYEX_STORAGE_PATH": "",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:\(port)",
        ]) { $1 }
        let options = DeployexWorld.Options(replicas: 2, variables: variables)
        try await DeployexWorld.run(options, isStarted: false) { world in
            let packages = try ExamplePackages.folder()
            let published = try await world.command(
                "publish", "\(packages)/counter-0.1.1.tar.gz")
            #expect(published.status == 0, "\(published.stderr)")
            #expect(
                published.stdout.contains(
                    "at s3://counter-local-distribution/versions/counter/local/current.json"))
            await proxy.expect([])
            try await world.start()
            try await world.waitUntilAllRun("0.1.1")
            #expect(await proxy.packageRequests == 1)
            try await world.waitForLog("Fetched s3://counter-local-distribution/dist/counter/")
            for answer in try await world.answers() {
                for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
                    #expect(ProcFolder.variable(name, of: answer.osPID) == nil)
                }
            }

            // What another build of a published version would do is refused.
            let other = try await world.command(
                "publish", "\(packages)/counter-0.1.0.tar.gz", "--version", "0.1.1")
            #expect(other.status == 1)

            // A hot upgrade whose package comes in pieces.
            let second = try await world.command("publish", "\(packages)/counter-0.1.2.tar.gz")
            #expect(second.status == 0, "\(second.stderr)")
            try await world.waitUntilAllRun("0.1.2")
            let upgraded = try await world.status(of: 2)
            #expect(upgraded.lastDeployment == "hot_upgrade")

            // The packages that were fetched are the ones to compare with.
            let verified = try await world.command("verify")
            #expect(verified.status == 0, "\(verified)")

            // Without S3 everything goes on: a restart of deployex, and going back.
            await proxy.refuseAll()
            #expect(try await world.endDeployex(SIGTERM) == 0)
            let mark = await world.logMark
            try await world.startDeployex()
            let line = try await world.waitForLog(
                "s3://counter-local-distribution/", "SlowDown", after: mark)
            #expect(line.hasPrefix("[error]"))
            let before = await world.answer(1)?.osPID
            let going = try await world.command("deploy", "0.1.1", "--app", "counter")
            #expect(going.status == 0, "\(going.stderr)")
            try await eventually("0.1.1 without S3") {
                try await world.status()?.instances.allSatisfy {
                    $0.status == "running" && $0.version == "0.1.1"
                } ?? false
            }
            #expect(await world.answer(1)?.osPID != before)
            let again = try await world.command("verify")
            #expect(again.status == 0, "\(again)")
            #expect(!(await world.log).contains(moto.secret))
        }
    }

    @Test func `who has no bucket, region or credentials is told at the start`() async throws {
        try await DeployexWorld.runWithoutSlot { world in
            for (variables, text) in [
                (["AWS_REGION": ""], "AWS_REGION is not set"),
                (["DEPLOYEX_STORAGE_PATH": "/srv"], "DEPLOYEX_STORAGE_PATH is for a folder"),
                (["DEPLOYEX_S3_BUCKET": "No"], "DEPLOYEX_S3_BUCKET=No: 3 to 63"),
                (["AWS_ENDPOINT_URL": "nowhere"], "AWS_ENDPOINT_URL_S3: an address"),
                (["https_proxy": "https://x"], "a proxy is reached over http:// only"),
            ] {
                let usual = [
                    "DEPLOYEX_STORAGE_ADAPTER": "s3", "DEPLOYEX_STORAGE_PATH": "",
                    "AWS_REGION": "eu-central-1",
                ]
                let result = try await world.command(
                    ["start"], adding: usual.merging(variables) { $1 })
                #expect(result.status != 0)
                #expect(result.stderr.contains(text), "\(result.stderr)")
            }
        }
    }
}

extension FaultProxy {
    fileprivate var packageRequests: Int { requests.count { $0.contains("/dist/") } }

    /// From now on the server is out of order.
    fileprivate func refuseAll() {
        let answer =
            "HTTP/1.1 503 Slow Down\r\nContent-Length: 49\r\n\r\n"
            + "<Error><Code>SlowDown</Code><Message/></Error>   "
        expect(Array(repeating: .answer(answer), count: 10_000))
    }
}
