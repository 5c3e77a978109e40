import FaultyDisk
import Foundation
import Glibc
import Supervisor
import TestKit
import Testing

@testable import Deployment

/// A base folder with one instance, and releases as far as the state looks into them.
private final class Base: Sendable {
    private let folder = TemporaryFolder()
    var path: String { folder.path }
    let layout: DeploymentLayout

    init() throws {
        layout = DeploymentLayout(basePath: folder.path, application: "counter")
        try state().prepare()
    }

    func state(_ files: any FileSystem = HostFileSystem()) -> InstanceState {
        InstanceState(layout: layout, instance: 1, files: files)
    }

    func put(_ version: String, in folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: "\(folder)/releases/\(version)", withIntermediateDirectories: true)
        try Data("13.1.5 \(version)".utf8).write(
            to: URL(fileURLWithPath: folder + "/releases/start_erl.data"))
    }

    /// Stages and promotes, as a deployment would.
    func deploy(_ version: String, files: any FileSystem = HostFileSystem()) throws {
        try put(version, in: layout.new(1))
        try state(files).promote(to: .init(version))
    }

    func version(in folder: String) -> String? {
        guard let data = FileManager.default.contents(atPath: folder + "/releases/start_erl.data")
        else { return nil }
        return String(decoding: data, as: UTF8.self).split(separator: " ").last.map(String.init)
    }
}

extension DeployedRelease {
    fileprivate init(_ version: String, _ kind: DeploymentKind = .fullDeployment) {
        self.init(version: version, hash: "local", deployment: kind)
    }
}

@Suite struct InstanceStateTests {
    @Test func `nothing deployed is found as nothing`() throws {
        #expect(try Base().state().recover(isRunning: false) == .init())
    }

    @Test func `a deployment leaves the old release in previous, and files that say so`() throws {
        let base = try Base()
        try base.deploy("0.1.0")
        #expect(base.version(in: base.layout.current(1)) == "0.1.0")
        try base.deploy("0.1.1")
        #expect(base.version(in: base.layout.current(1)) == "0.1.1")
        #expect(base.version(in: base.layout.previous(1)) == "0.1.0")
        #expect(base.version(in: base.layout.new(1)) == nil)
        #expect(
            try base.state().recover(isRunning: false)
                == .init(current: .init("0.1.1"), previous: .init("0.1.0")))
        let json = FileManager.default.contents(
            atPath: base.path + "/version/counter/1/current.json")
        #expect(
            json.map { String(decoding: $0, as: UTF8.self) }
                == #"{"deployment":"full_deployment","hash":"local","version":"0.1.1"}"# + "\n")
    }

    @Test func `a hot upgrade changes the version files and no folder`() throws {
        let base = try Base()
        try base.deploy("0.1.0")
        try base.deploy("0.1.1")
        try base.put("0.1.2", in: base.layout.current(1))
        try base.state().recordHotUpgrade(
            to: .init("0.1.2", .hotUpgrade), from: .init("0.1.1"))
        let found = try base.state().recover(isRunning: false)
        #expect(found.current == .init("0.1.2", .hotUpgrade))
        #expect(found.previous == .init("0.1.1"))
        #expect(base.version(in: base.layout.previous(1)) == "0.1.0")
    }

    @Test func `a damaged version file is set aside, and the release on disk decides`() throws {
        let base = try Base()
        try base.deploy("0.1.0")
        let path = base.layout.currentVersion(1)
        for damage in ["", "{\"vers", "[]", "\u{0}\u{1}"] {
            try Data(damage.utf8).write(to: URL(fileURLWithPath: path))
            let found = try base.state().recover(isRunning: false)
            #expect(found.current?.version == "0.1.0")
            #expect(found.findings.count == 2, "\(found.findings)")
            #expect(FileManager.default.fileExists(atPath: path + ".damaged"))
        }
    }

    @Test func `wherever a deployment stops, current is one whole release`() throws {
        let counting = FaultInjectingFileSystem(HostFileSystem())
        try replaceOne(with: counting)
        #expect(counting.operationCount > 5)
        for operation in 1...counting.operationCount {
            for fault in [FaultInjectingFileSystem.Fault.stop, .fail(code: ENOSPC)] {
                let base = try Base()
                try base.deploy("0.1.0")
                let files = FaultInjectingFileSystem(HostFileSystem(), at: operation, fault: fault)
                #expect(throws: FileSystemError.self) { try base.deploy("0.1.1", files: files) }
                let standing = base.version(in: base.layout.current(1))
                #expect(["0.1.0", "0.1.1"].contains(standing), "at operation \(operation)")
                #expect(try base.state().recover(isRunning: false).current?.version == standing)
                // And the next attempt succeeds.
                try base.deploy("0.1.1")
                #expect(base.version(in: base.layout.current(1)) == "0.1.1")
            }
        }
    }

    @Test func `a start removes what a killed run left of a staging, and keeps what runs`() throws {
        let base = try Base()
        try base.deploy("0.1.0")
        try base.put("0.1.1", in: base.layout.new(1))
        try base.put("0.1.2", in: base.layout.new(1) + ".tmp-1")
        _ = try base.state().recover(isRunning: false)
        try base.state().clean()
        let names = try HostFileSystem().list(base.layout.instanceFolder(1))
        #expect(names == ["current"])
    }

    @Test func `what is staged is discarded, and it is no error that nothing is`() throws {
        let base = try Base()
        try base.put("0.1.1", in: base.layout.new(1))
        for _ in 0..<2 {
            try base.state().discardStaged()
            #expect(try HostFileSystem().list(base.layout.instanceFolder(1)) == [])
        }
    }

    private func replaceOne(with files: any FileSystem) throws {
        let base = try Base()
        try base.deploy("0.1.0")
        try base.deploy("0.1.1", files: files)
    }
}
