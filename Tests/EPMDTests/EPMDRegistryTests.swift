import Testing

@testable import EPMD

@Suite struct EPMDRegistryTests {
    private func node(_ name: String, version: UInt16 = 6) -> EPMDNodeInfo {
        EPMDNodeInfo(name: name, port: 1, highestVersion: version)
    }

    @Test func `a registration is found until its connection ends`() {
        var registry = EPMDRegistry(firstCreation: 100)
        #expect(registry.register(node("a"), by: 7) == 100)
        #expect(registry.lookUp("a")?.node == node("a"))
        #expect(registry.unregister(by: 8) == nil)
        #expect(registry.unregister(by: 7)?.node == node("a"))
        #expect(registry.lookUp("a") == nil)
        #expect(registry.isEmpty)
    }

    @Test func `a name is given once at a time`() {
        var registry = EPMDRegistry(firstCreation: 100)
        #expect(registry.register(node("a"), by: 1) == 100)
        #expect(registry.register(node("a"), by: 2) == nil)
        #expect(registry.unregister(by: 2) == nil)
        #expect(registry.lookUp("a")?.connection == 1)
    }

    @Test func `names are equal by their bytes, not as text`() {
        var registry = EPMDRegistry(firstCreation: 100)
        #expect(registry.register(node("\u{E5}"), by: 1) != nil)
        #expect(registry.register(node("a\u{30A}"), by: 2) != nil)
        #expect(registry.lookUp("a\u{30A}")?.connection == 2)
    }

    @Test func `every registration has another creation, also across the wrap, and never 0 to 3`() {
        var registry = EPMDRegistry(firstCreation: .max - 1)
        let creations = (1...4).map { registry.register(node("\($0)"), by: $0) }
        #expect(creations == [.max - 1, .max, 4, 5])
        #expect(EPMDRegistry(firstCreation: 0).lookUp("a") == nil)
        var zero = EPMDRegistry(firstCreation: 0)
        #expect(zero.register(node("a"), by: 1) == 4)
    }

    @Test func `an old node's creations go round from 1 to 3, whatever registers in between`() {
        var registry = EPMDRegistry(firstCreation: 100)
        var creations: [UInt32?] = []
        for connection in UInt64(1)...4 {
            creations.append(registry.register(node("old", version: 5), by: connection * 10))
            _ = registry.register(node("other"), by: connection * 10 + 1)
            registry.unregister(by: connection * 10)
            registry.unregister(by: connection * 10 + 1)
        }
        #expect(creations == [2, 3, 1, 2])
    }

    @Test func `old names that are remembered have a limit`() {
        var registry = EPMDRegistry(firstCreation: 100)
        let count = UInt64(EPMDRegistry.rememberedNameCount)
        for connection in 0...count {
            #expect(registry.register(node("\(connection)", version: 5), by: connection) == 2)
            registry.unregister(by: connection)
        }
        // The first has been forgotten for the last, the second is remembered.
        #expect(registry.register(node("0", version: 5), by: count + 1) == 2)
        #expect(registry.register(node("2", version: 5), by: count + 2) == 3)
    }

    @Test func `the latest registration is listed first`() {
        var registry = EPMDRegistry(firstCreation: 100)
        for (index, name) in ["a", "b", "c"].enumerated() {
            _ = registry.register(node(name), by: UInt64(index))
        }
        #expect(registry.all.map(\.node.name) == ["c", "b", "a"])
    }
}
