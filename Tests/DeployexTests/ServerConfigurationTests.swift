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
