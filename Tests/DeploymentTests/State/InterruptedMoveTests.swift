import Glibc
import Simulation
import Supervisor
import Testing

@testable import Deployment

@Suite struct InterruptedMoveTests {
    @Test func `what stands is told after every failure of a promotion, and the next one succeeds`()
        throws
    {
        var committed = 0
        for operation in 1...200 {
            let instance = try Folders()
            try instance.deploy("0.1.0")
            try instance.stage("0.1.1")
            instance.disk.inject(.failAll(code: ENOSPC), after: operation)
            let isDone: Bool
            do {
                try instance.state.promote(to: Folders.deployed("0.1.1"))
                isDone = true
            } catch {
                isDone = false
            }
            let version = instance.standing(instance.layout.current(1)).version
            #expect(try instance.state.standing()?.version == version)
            instance.disk.clearFault()
            if isDone { break }
            if version == "0.1.1" {
                committed += 1
                // The old release is not lost to the next staging.
                try instance.state.completeMove()
                #expect(instance.standing(instance.layout.previous(1)).version == "0.1.0")
            }
            try instance.deploy("0.1.2")
            #expect(instance.standing(instance.layout.current(1)).version == "0.1.2")
        }
        #expect(committed > 3)
    }
}

/// One instance's folders on a simulated disk.
private struct Folders {
    let disk = SimulatedDisk(roots: ["/base"])
    let layout = DeploymentLayout(basePath: "/base", application: "counter")
    var state: InstanceState { InstanceState(layout: layout, instance: 1, files: disk) }

    init() throws {
        try state.prepare()
    }

    static func deployed(_ version: String) -> DeployedRelease {
        DeployedRelease(version: version, hash: version, deployment: .fullDeployment)
    }

    func stage(_ version: String) throws {
        let release = try Release(version: version, hash: version)
        try SimulatedRelease(application: "counter", version: version, hash: version)
            .stage(in: layout.new(1), as: release, disk)
    }

    func deploy(_ version: String) throws {
        try stage(version)
        try state.promote(to: Self.deployed(version))
        try state.discardStaged()
        try state.clean()
    }

    func standing(_ folder: String) -> StandingRelease {
        StandingRelease(in: folder, of: "counter", disk.image)
    }
}
