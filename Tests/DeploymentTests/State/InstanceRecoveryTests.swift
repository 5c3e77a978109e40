import FaultyDisk
import Foundation
import Glibc
import Supervisor
import TestKit
import Testing

@testable import Deployment

/// What a start makes of a change that was cut off, at every single operation.
@Suite struct InstanceRecoveryTests {
    let folder = TemporaryFolder()
    var path: String { folder.path }

    private func state(
        _ name: String, _ files: any FileSystem = HostFileSystem()
    ) throws -> InstanceState {
        let layout = DeploymentLayout(basePath: "\(path)/\(name)", application: "counter")
        let state = InstanceState(layout: layout, instance: 1, files: files)
        try InstanceState(layout: layout, instance: 1, files: HostFileSystem()).prepare()
        return state
    }

    private func put(_ release: DeployedRelease, in folder: String) throws {
        for version in [release.version] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/releases/\(version)", withIntermediateDirectories: true)
            try Data().write(
                to: URL(fileURLWithPath: "\(folder)/releases/\(version)/start.boot"))
        }
        try Data("13.1.5 \(release.version)".utf8).write(
            to: URL(fileURLWithPath: folder + "/releases/start_erl.data"))
        try ReleaseMarker.put(release, in: folder, files: HostFileSystem())
    }

    private static let one = DeployedRelease(
        version: "0.1.0", hash: "a", deployment: .fullDeployment)
    private static let two = DeployedRelease(
        version: "0.1.1", hash: "b", deployment: .fullDeployment)
    private static let three = DeployedRelease(
        version: "0.1.2", hash: "c", deployment: .hotUpgrade)

    private enum Change: CaseIterable {
        case first, promote, revert, revertInPlace
    }

    /// Everything up to the change.
    private func prepare(_ change: Change, _ name: String) throws {
        let state = try self.state(name)
        guard change != .first else { return try put(Self.one, in: state.new) }
        try put(Self.one, in: state.new)
        try state.promote(to: Self.one)
        try put(Self.two, in: state.new)
        guard change != .promote else { return }
        try state.promote(to: Self.two)
        guard change == .revertInPlace else { return }
        try put(Self.three, in: state.current)
        try state.recordHotUpgrade(to: Self.three, from: Self.two)
    }

    private func perform(_ change: Change, _ state: InstanceState) throws {
        switch change {
        case .first: try state.promote(to: Self.one)
        case .promote: try state.promote(to: Self.two)
        case .revert: _ = try state.revert(to: Self.one.id)
        case .revertInPlace: _ = try state.revert(to: Self.two.id)
        }
    }

    private func outcomes(_ change: Change) -> (before: DeployedRelease?, after: DeployedRelease) {
        switch change {
        case .first: (nil, Self.one)
        case .promote: (Self.one, Self.two)
        case .revert: (Self.two, Self.one)
        case .revertInPlace: (Self.three, Self.two)
        }
    }

    @Test(arguments: [Change.first, .promote, .revert, .revertInPlace])
    private func `wherever a change stops or fails, a start completes or undoes it`(
        _ change: Change
    ) throws {
        try prepare(change, "counting")
        let counting = FaultInjectingFileSystem(HostFileSystem())
        try perform(change, state("counting", counting))
        let (before, after) = outcomes(change)
        #expect(counting.operationCount > 8)
        var seen: Set<String?> = []
        for operation in 1...counting.operationCount {
            for fault in [FaultInjectingFileSystem.Fault.stop, .fail(code: ENOSPC)] {
                let name = "\(operation)-\(fault)"
                try prepare(change, name)
                let files = FaultInjectingFileSystem(HostFileSystem(), at: operation, fault: fault)
                #expect(throws: FileSystemError.self, "\(name)") {
                    try perform(change, self.state(name, files))
                }
                let state = try self.state(name)
                let found = try state.recover(isRunning: false)
                try state.clean()
                let id = found.current?.id
                #expect(id == before?.id || id == after.id, "at operation \(name)")
                seen.insert(found.current?.version)
                // Nothing is half there, and the files say what stands.
                let entries = try HostFileSystem().list(state.folder)
                #expect(
                    Set(entries).isSubset(of: ["current", "previous"]), "\(name): \(entries)")
                if found.current != nil {
                    #expect(try state.deployed(in: state.current)?.id == found.current?.id)
                    #expect(
                        try state.boots(state.current)?.release
                            == found.current?.version)
                }
                // A second start finds nothing to do.
                let again = try state.recover(isRunning: false)
                #expect(again == .init(current: found.current, previous: found.previous))
                if found.current?.id == before?.id, change == .promote {
                    #expect(again.previous == nil)
                }
            }
        }
        // Both ends have been seen, or the test tests nothing.
        #expect(seen == [before?.version, after.version])
    }

    @Test func `an upgrade in place that was cut off is for the node to settle while it runs`()
        throws
    {
        try prepare(.promote, "hot")
        let state = try self.state("hot")
        try state.promote(to: Self.two)
        try state.beginHotUpgrade(to: Self.three)
        // As `make_permanent` leaves it.
        try FileManager.default.createDirectory(
            atPath: state.current + "/releases/0.1.2", withIntermediateDirectories: true)
        try Data("13.1.5 0.1.2".utf8).write(
            to: URL(fileURLWithPath: state.current + "/releases/start_erl.data"))
        let running = try state.recover(isRunning: true)
        #expect(running.current == Self.two)
        #expect(running.interruptedUpgrade == Self.three)
        // Without a process what boots decides.
        let stopped = try state.recover(isRunning: false)
        #expect(stopped.current == Self.three)
        #expect(stopped.previous == Self.two)
    }

    @Test func `an upgrade in place that had not been made permanent is undone`() throws {
        try prepare(.promote, "hot")
        let state = try self.state("hot")
        try state.promote(to: Self.two)
        try state.beginHotUpgrade(to: Self.three)
        let found = try state.recover(isRunning: false)
        #expect(found.current == Self.two)
        #expect(found.interruptedUpgrade == nil)
    }

    @Test func `a start_erl.data that was cut is made anew from what the folder says of itself`()
        throws
    {
        try prepare(.promote, "cut")
        let state = try self.state("cut")
        try FileManager.default.createDirectory(
            atPath: state.current + "/erts-13.1.5", withIntermediateDirectories: true)
        for damage in ["", "13.1.5", "13.1.5 0.1", "\u{0}\u{0}\u{0} V", "13.1.5 ../x"] {
            let path = state.current + "/releases/start_erl.data"
            try Data(damage.utf8).write(to: URL(fileURLWithPath: path))
            #expect(try state.recover(isRunning: false).current == Self.one, "\(damage)")
            #expect(
                String(decoding: try HostFileSystem().read(path, limit: 100), as: UTF8.self)
                    == "13.1.5 0.1.0")
        }
    }

    @Test func `a start_erl.data that cannot be made anew is told of, and ends no start`() throws {
        for fault in [nil, FaultInjectingFileSystem.Fault.fail(code: EACCES)] {
            let name = fault == nil ? "folder" : "closed"
            try prepare(.promote, name)
            let state = try self.state(name)
            try FileManager.default.createDirectory(
                atPath: state.current + "/erts-13.1.5", withIntermediateDirectories: true)
            let data = state.current + "/releases/start_erl.data"
            try FileManager.default.removeItem(atPath: data)
            if fault == nil { mkdir(data, 0o755) }
            try FileManager.default.removeItem(atPath: state.new)
            let files = FaultInjectingFileSystem(
                HostFileSystem(), at: fault == nil ? .max : 1, fault: fault ?? .stop)
            let damaged = try self.state(name, files)
            #expect(try damaged.recover(isRunning: true).current == Self.one)
            let found = try damaged.recover(isRunning: false)
            #expect(found.current == nil, "\(name)")
            let told = found.findings.filter { $0.contains("start_erl.data") }
            #expect(told.contains { $0.contains("cannot be made anew") }, "\(found.findings)")
        }
    }

    @Test
    func `a start_erl.data that a full disk keeps from being made anew is no reason to forget`()
        throws
    {
        try prepare(.promote, "full")
        let state = try self.state("full")
        try FileManager.default.createDirectory(
            atPath: state.current + "/erts-13.1.5", withIntermediateDirectories: true)
        try FileManager.default.removeItem(atPath: state.current + "/releases/start_erl.data")
        let full = FaultInjectingFileSystem(HostFileSystem(), at: 2, fault: .fail(code: ENOSPC))
        #expect(throws: FileSystemError.self) {
            try self.state("full", full).recover(isRunning: false)
        }
        #expect(try state.recover(isRunning: false).current == Self.one)
    }

    @Test func `a damaged journal is set aside, and what stands decides`() throws {
        try prepare(.promote, "damaged")
        let state = try self.state("damaged")
        for damage in ["", "{", "[]", #"{"operation":"fly"}"#] {
            try Data(damage.utf8).write(
                to: URL(fileURLWithPath: state.layout.journal(1)))
            let found = try state.recover(isRunning: false)
            #expect(found.current == Self.one)
            #expect(found.findings.contains { $0.contains("journal.json is damaged") })
        }
    }
}
