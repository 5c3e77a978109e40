// swift-tools-version: 6.2
import PackageDescription

/// Every target: Swift 6 mode comes from the tools version; a warning is an error.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// What ships: an async function runs where its caller runs, since a hop to the global pool costs
/// 10 to 40 microseconds.
let shipped = strict + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

/// Targets without I/O: unsafe code must be marked where it stands.
let pure = shipped + [.strictMemorySafety()]

func library(
    _ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = shipped
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "deployex",
    products: [
        .executable(name: "deployex", targets: ["deployex"]),
        .library(name: "ExternalTermFormat", targets: ["ExternalTermFormat"]),
        .library(name: "EPMD", targets: ["EPMD"]),
        .library(name: "ErlDist", targets: ["ErlDist"]),
        // The event loop and the addresses that the others take.
        .library(name: "Transport", targets: ["Transport"]),
    ],
    targets: [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "CLinux",
            // glibc checks the buffers of its calls where the compiler knows their sizes.
            cSettings: [.define("_FORTIFY_SOURCE", to: "3", .when(configuration: .release))]),
        library("ExternalTermFormat", ["CZlib"], settings: pure),
        library("Transport", ["CLinux", "COpenSSL"]),
        library("EPMD", ["Transport"]),
        library("ErlDist", ["ExternalTermFormat", "Transport"]),
        library("HTTP", ["Transport"]),
        library("Supervisor", ["CLinux", "Transport"]),
        library(
            "Deployment", ["CZlib", "ExternalTermFormat", "ErlDist", "Supervisor", "Transport"]),
        library("AWS", ["Deployment", "ErlDist", "HTTP", "Supervisor", "Transport"]),
        library(
            "Notifications",
            ["Deployment", "ErlDist", "ExternalTermFormat", "HTTP", "Supervisor", "Transport"]),
        library(
            "Dashboard",
            [
                "CAssets", "CZlib", "Deployment", "ExternalTermFormat", "HTTP",
                "Supervisor", "Transport",
            ]),
        // The files of Assets/, which the dashboard serves to browsers.
        .target(name: "CAssets"),
        .executableTarget(
            name: "deployex",
            dependencies: [
                "Transport", "ExternalTermFormat", "EPMD", "ErlDist", "HTTP", "Supervisor",
                "Deployment", "Dashboard", "AWS", "Notifications",
            ],
            swiftSettings: shipped),
        .executableTarget(
            name: "deployex-bench",
            dependencies: [
                "CInstructions", "Transport", "ExternalTermFormat", "EPMD", "ErlDist",
                "TestKit",
            ],
            swiftSettings: strict),
        .target(name: "CInstructions"),
        .executableTarget(
            name: "deployex-reliability",
            dependencies: [
                "CLinux", "Transport", "ExternalTermFormat", "EPMD", "ErlDist", "HTTP",
                "Supervisor", "Deployment", "TestKit",
            ],
            swiftSettings: shipped),
        .executableTarget(
            name: "node-example",
            dependencies: ["Transport", "ExternalTermFormat", "EPMD", "ErlDist"],
            path: "Examples/node", swiftSettings: strict),
        .target(
            name: "Simulation",
            dependencies: [
                "Deployment", "ErlDist", "ExternalTermFormat", "Supervisor", "TestKit", "Transport",
            ],
            path: "Tests/Simulation/Model", swiftSettings: shipped),
        .executableTarget(
            name: "deployex-simulate", dependencies: ["Simulation"],
            path: "Tests/Simulation/Command", swiftSettings: strict),
        // What tests and measurements share.
        .target(
            name: "TestKit", dependencies: ["Transport"], path: "Tests/TestKit",
            swiftSettings: strict),
        .target(
            name: "FaultyDisk", dependencies: ["Supervisor", "Transport"],
            path: "Tests/FaultyDisk", swiftSettings: strict),
        // A headless Chromium for tests.
        .target(
            name: "Browser", dependencies: ["TestKit"], path: "Tests/Browser",
            swiftSettings: strict),
        .executableTarget(
            name: "first-paint", dependencies: ["Browser", "TestKit"], path: "Tests/FirstPaint",
            swiftSettings: strict),
        .testTarget(
            name: "BrowserTests", dependencies: ["Browser", "HTTP", "TestKit", "Transport"],
            exclude: ["Checks", "Fixtures", "Modules"], swiftSettings: strict),
        tests("ExternalTermFormatTests", ["ExternalTermFormat", "TestKit"]),
        tests("TransportTests", ["TestKit", "Transport"]),
        tests("EPMDTests", ["EPMD", "TestKit", "Transport"]),
        tests("ErlDistTests", ["ErlDist", "ExternalTermFormat", "TestKit", "Transport"]),
        tests(
            "InteropTests",
            [
                "Deployment", "EPMD", "ErlDist", "ExternalTermFormat", "HTTP", "Supervisor",
                "TestKit", "Transport", "deployex", "node-example",
            ]),
        tests("HTTPTests", ["HTTP", "TestKit", "Transport"]),
        .testTarget(
            name: "AWSTests",
            dependencies: ["AWS", "Deployment", "HTTP", "Supervisor", "TestKit", "Transport"],
            exclude: ["random-signatures.py"], swiftSettings: strict),
        tests(
            "NotificationsTests",
            ["Deployment", "HTTP", "Notifications", "Supervisor", "TestKit", "Transport"]),
        tests("SupervisorTests", ["FaultyDisk", "Supervisor", "TestKit", "Transport"]),
        tests(
            "DeployexTests",
            [
                "deployex", "AWS", "Dashboard", "Deployment", "ExternalTermFormat", "HTTP",
                "Supervisor",
                "Notifications", "TestKit",
            ]),
        tests(
            "DashboardTests",
            [
                "Dashboard", "Deployment", "ExternalTermFormat", "HTTP", "Supervisor", "TestKit",
                "Transport",
            ]),
        tests("EndToEndTests", ["Browser", "TestKit", "Transport", "deployex"]),
        tests(
            "SimulationTests", ["Deployment", "Simulation", "Supervisor", "TestKit", "Transport"]),
        tests(
            "DeploymentTests",
            [
                "Deployment", "ErlDist", "ExternalTermFormat", "FaultyDisk", "Simulation",
                "Supervisor", "TestKit", "Transport",
            ]),
        // What `make fuzz` runs under libFuzzer, over the seeds and findings only.
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "AWS", "Dashboard", "Deployment", "EPMD", "ErlDist", "ExternalTermFormat", "HTTP",
                "Supervisor", "Transport", "deployex",
            ],
            path: "Fuzz", exclude: ["Corpus", "Crashes", "Dictionaries", "LibFuzzer.swift"],
            swiftSettings: strict),
    ]
)
