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
            let instance = try InstanceOnDisk()
            try instance.deploy("0.1.0")
            try instance.stage("0.1.1")
            instance.disk.inject(.failAll(code: ENOSPC), after: operation)
            let isDone: Bool
            do {
                try instance.state.promote(to: InstanceOnDisk.deployed("0.1.1"))
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
