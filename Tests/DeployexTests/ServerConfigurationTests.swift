import Testing

@testable import deployex

private func message(_ environment: [String: String]) -> String? {
    do throws(UsageError) {
        _ = try ServerConfiguration(environment: environment)
        return nil
    } catch {
        return error.message
    }
}

@Suite struct ServerConfigurationTests {
    @Test func `without variables everything is local, with the original's defaults`() throws {
        let configuration = try ServerConfiguration(environment: [:])
        #expect(configuration.applicationName == "myphoenixapp")
        #expect(configuration.replicas == 3)
        #expect(configuration.firstPort == 4000)
        #expect(configuration.environmentName == "local")
        #expect(configuration.basePath == "/tmp/deployex/varlib")
        #expect(configuration.logPath == "/tmp/myphoenixapp")
        #expect(configuration.storagePath == "/tmp/myphoenixapp")
        #expect(configuration.timings.pollInterval == .seconds(5))
        #expect(configuration.timings.rollbackTimeout == .seconds(600))
    }

    @Test func `listening follows the variables, then the kernel's switches`() throws {
        func listening(_ environment: [String: String]) throws -> ListeningOptions {
            try ServerConfiguration(environment: environment).listening
        }
        let plain = try listening([:])
        #expect(plain.ports == nil)
        #expect(plain.tickTime == .seconds(60))
        #expect("\(plain.address(usesIPv6: false))" == "0.0.0.0:0")
        #expect("\(plain.address(usesIPv6: true))" == "[::]:0")
        let switches = """
            -setcookie c -kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105 \
            inet_dist_use_interface '{127,0,0,1}' -kernel net_ticktime 5 +S 4
            """
        let fromSwitches = try listening(["ELIXIR_ERL_OPTIONS": switches])
        #expect(fromSwitches.ports == 9100...9105)
        #expect(fromSwitches.tickTime == .seconds(5))
        #expect("\(fromSwitches.address(usesIPv6: true))" == "127.0.0.1:0")
        let both = try listening([
            "ELIXIR_ERL_OPTIONS": switches, "DEPLOYEX_DIST_INTERFACE": "::1",
            "DEPLOYEX_DIST_PORT_MIN": "9200", "DEPLOYEX_DIST_PORT_MAX": "9201",
            "DEPLOYEX_NET_TICKTIME": "1",
        ])
        #expect(both.ports == 9200...9201)
        #expect(both.tickTime == .seconds(1))
        #expect("\(both.address(usesIPv6: false))" == "[::1]:0")
        #expect(try listening(["DEPLOYEX_DIST_PORT_MIN": "9200"]).ports == 9200...9200)
        let six = "-kernel inet_dist_use_interface {0,0,0,0,0,0,0,1}"
        #expect(try listening(["ELIXIR_ERL_OPTIONS": six]).interface == both.interface)
    }

    @Test func `a cloud environment moves everything to its place on a server`() throws {
        let configuration = try ServerConfiguration(environment: [
            "DEPLOYEX_CLOUD_ENVIRONMENT": "prod", "DEPLOYEX_MONITORED_APP_NAME": "calori",
            "DEPLOYEX_STORAGE_ADAPTER": "local", "DEPLOYEX_STORAGE_PATH": "/srv/packages/",
            "DEPLOYEX_MONITORED_REPLICAS": "2", "DEPLOYEX_STOP_TIMEOUT": "0.5",
        ])
        #expect(configuration.basePath == "/var/lib/deployex")
        #expect(configuration.logPath == "/var/log")
        #expect(configuration.storagePath == "/srv/packages")
        #expect(configuration.environmentName == "prod")
        #expect(configuration.replicas == 2)
        #expect(configuration.timings.stopTimeout == .milliseconds(500))
    }

    @Test(arguments: [
        (["DEPLOYEX_MONITORED_REPLICAS": "0"], "DEPLOYEX_MONITORED_REPLICAS=0"),
        (["DEPLOYEX_MONITORED_REPLICAS": "three"], "DEPLOYEX_MONITORED_REPLICAS=three"),
        (["DEPLOYEX_MONITORED_APP_PORT": "65535"], "ports up to 65537"),
        (["DEPLOYEX_MONITORED_APP_NAME": "../etc"], "DEPLOYEX_MONITORED_APP_NAME=../etc"),
        (["DEPLOYEX_MONITORED_APP_NAME": "my-app"], "letters, digits and _ only"),
        (["DEPLOYEX_CLOUD_ENVIRONMENT": "prod"], "DEPLOYEX_MONITORED_APP_NAME is not set"),
        (["DEPLOYEX_BASE_PATH": "state"], "DEPLOYEX_BASE_PATH=state"),
        (["DEPLOYEX_POLL_INTERVAL": "nan"], "DEPLOYEX_POLL_INTERVAL=nan"),
        (["DEPLOYEX_DIST_INTERFACE": "eth0"], "DEPLOYEX_DIST_INTERFACE=eth0"),
        (["DEPLOYEX_DIST_PORT_MIN": "0"], "DEPLOYEX_DIST_PORT_MIN=0: a whole number from 1 to"),
        (["DEPLOYEX_DIST_PORT_MAX": "9100"], "needs DEPLOYEX_DIST_PORT_MIN"),
        (
            ["DEPLOYEX_DIST_PORT_MIN": "9101", "DEPLOYEX_DIST_PORT_MAX": "9100"],
            "DEPLOYEX_DIST_PORT_MIN=9101 is above DEPLOYEX_DIST_PORT_MAX=9100"
        ),
        (["DEPLOYEX_NET_TICKTIME": "0.5"], "DEPLOYEX_NET_TICKTIME=0.5"),
        (
            ["ELIXIR_ERL_OPTIONS": "-kernel net_ticktime 0"],
            "-kernel net_ticktime=0: a whole number from 1"
        ),
        (["DEPLOYEX_STORAGE_ADAPTER": "ftp"], "DEPLOYEX_STORAGE_ADAPTER=ftp: local or s3"),
        (["DEPLOYEX_STORAGE_ADAPTER": "s3"], "not available in this version"),
    ])
    func `a wrong value is one line that names the variable`(
        environment: [String: String], part: String
    ) {
        let text = message(environment)
        #expect(text?.contains(part) == true, "\(text ?? "accepted")")
        #expect(text?.contains("\n") == false)
    }

    @Test func `an empty variable is an unset one`() throws {
        let configuration = try ServerConfiguration(environment: [
            "DEPLOYEX_MONITORED_APP_PORT": "", "DEPLOYEX_CLOUD_ENVIRONMENT": "",
        ])
        #expect(configuration.firstPort == 4000)
    }
}
