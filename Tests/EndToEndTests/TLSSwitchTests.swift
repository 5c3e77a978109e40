import Glibc
import TestKit
import Testing

/// Mutual TLS for a deployex whose instances run without, in the order in which one switches it on.
@Suite struct TLSSwitchTests {
    @Test func `instances without TLS are not killed by a deployex with it, and it says why`()
        async throws
    {
        // Without an answer they would be killed after 0.4 s.
        let options = DeployexWorld.Options(
            replicas: 2, epmd: .deployex,
            variables: [
                "DEPLOYEX_LIVENESS_INTERVAL": "0.1", "DEPLOYEX_LIVENESS_TIMEOUT": "0.1",
                "DEPLOYEX_LIVENESS_FAILURES": "2",
            ])
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: "0.1.0")
            let pids = try await world.status()?.instances.map(\.osPid)
            #expect(try await world.endDeployex(SIGTERM) == 0)

            let tls = try await world.makeTLSOptions()
            let mark = await world.logMark
            try await world.startDeployex(adding: tls)
            let expected = "the peer speaks the distribution without TLS, and this side over TLS"
            let log = try await world.wait(
                "the reason to be shown for both", commandVariables: tls
            ) { $0.count { $0.reason?.contains(expected) == true } == 2 }
            #expect(log.map(\.osPid) == pids)
            #expect(log.allSatisfy { $0.otp == "not_connected" && $0.crashRestarts == 0 })
            for number in 1...2 { #expect(await world.answer(number) != nil) }
            for number in 1...2 {
                let told = await world.log(after: mark).split(separator: "\n").count {
                    $0.contains("Instance: \(number) does not answer as it should: ")
                        && $0.contains(expected)
                }
                #expect(told == 1, "instance \(number)")
            }

            // Each takes what it is started with, when the operator likes.
            for number in 1...2 {
                let restart = try await world.command("restart", "\(number)", adding: tls)
                #expect(restart.status == 0, "\(restart)")
            }
            _ = try await world.wait("both to be connected", commandVariables: tls) {
                $0.allSatisfy { $0.otp == "connected" && $0.reason == nil }
            }
        }
    }
}

extension DeployexWorld {
    /// Certificates and an options file of this world; returns the variables that name them, for
    /// deployex and for the example.
    fileprivate func makeTLSOptions() throws -> [String: String] {
        let certificates = folder + "/certs"
        let result = try run(
            "/bin/bash", [BuiltProgram.root + "/scripts/make-certs.sh"],
            environment: [
                "PATH": ThisHost.path, "CERT_FOLDER": certificates, "OUTPUT_FOLDER": certificates,
            ])
        guard result.status == 0 else { throw TestFailure("make-certs.sh: \(result)") }
        let section = """
            [{cacertfile,"\(certificates)/ca.crt"},{certfile,"\(certificates)/deployex.crt"},
             {keyfile,"\(certificates)/deployex.key"},{verify,verify_peer},{secure_renegotiate,true}
            """
        let file = folder + "/inet_tls.conf"
        try site.write(
            Array(
                "[{server,\(section),{fail_if_no_peer_cert,true}]},{client,\(section)]}]."
                    .utf8), file)
        return [
            "ELIXIR_ERL_OPTIONS": "-proto_dist inet_tls -ssl_dist_optfile \(file)",
            "COUNTER_TLS_OPTIONS": file,
        ]
    }

    /// Waits until `condition` holds for the instances.
    fileprivate func wait(
        _ what: String, commandVariables: [String: String],
        until condition: ([StatusAnswer.Instance]) -> Bool
    ) throws -> [StatusAnswer.Instance] {
        try waitForValue(what) {
            let result = try command(["status", "--json"], adding: commandVariables)
            guard result.status == 0 else { return nil }
            let instances = try StatusAnswer(json: result.stdout).instances
            return condition(instances) ? instances : nil
        }
    }
}
