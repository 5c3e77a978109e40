import Dashboard
import Testing

@testable import deployex

@Suite struct TerminalPermissionTests {
    @Test(arguments: [
        (nil, "127.0.0.1", TerminalPermission.onThisHost), (nil, "::1", .onThisHost),
        (nil, "0.0.0.0", .nowhere), (nil, "192.0.2.1", .nowhere),
        ("true", "127.0.0.1", .everywhere), ("true", "0.0.0.0", .everywhere),
        ("false", "127.0.0.1", .nowhere), ("false", "0.0.0.0", .nowhere),
    ])
    func `terminals are for this host, unless somebody says otherwise`(
        _ setting: String?, _ address: String, _ wanted: TerminalPermission
    ) throws {
        var environment = [
            "DEPLOYEX_HTTP_ADDRESS": address, "DEPLOYEX_MONITORED_APP_NAME": "counter",
        ]
        environment["DEPLOYEX_TERMINAL"] = setting
        let options = try ServerConfiguration(environment: environment).dashboard
        #expect(options.terminalPermission == wanted)
    }
}
