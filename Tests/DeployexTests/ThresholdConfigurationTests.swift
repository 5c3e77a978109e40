import Testing

@testable import Deployment
@testable import deployex

@Suite struct ThresholdConfigurationTests {
    private func thresholds(_ json: String) throws -> [ThresholdKind: Threshold] {
        let text = #"{"applications": [{"name": "a", "thresholds": \#(json)}]}"#
        let file = try ConfigurationFile(path: "/d.json", bytes: Array(text.utf8))
        return try ServerConfiguration(file: file, environment: [:]).applications[0].thresholds
    }

    @Test func `a warning is usually at 75 percent, and a restart only where it is asked for`()
        throws
    {
        #expect(try thresholds("{}") == [:])
        #expect(
            try thresholds(#"{"atoms": {"restart": 90}, "memory": {"warn": 60}}"#)
                == [.atoms: Threshold(warn: 75, restart: 90), .memory: Threshold(warn: 60)])
        #expect(
            try thresholds(#"{"ports": {"restart": 50}}"#)
                == [.ports: Threshold(warn: 49, restart: 50)])
        #expect(
            try thresholds(#"{"processes": {"warn": 80, "restart": 100}}"#)
                == [.processes: Threshold(warn: 80, restart: 100)])
    }

    @Test func `a restart comes after the warning`() {
        let error = #expect(throws: UsageError.self) {
            try thresholds(#"{"atoms": {"warn": 90, "restart": 90}}"#)
        }
        #expect(error?.message.contains("thresholds.atoms.restart") == true)
        #expect(throws: UsageError.self) { try thresholds(#"{"disk": {"warn": 90}}"#) }
    }
}
