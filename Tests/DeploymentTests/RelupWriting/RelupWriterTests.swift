import ExternalTermFormat
import TestKit
import Testing

@testable import Deployment

/// A module for a release that exists on paper only.
private func module(
    _ digest: UInt8, behaviours: Set<String> = [], exports: Set<String> = [],
    calls: Set<String> = [], uses: Set<String> = []
) -> ModuleCode {
    var code = ModuleCode(digest: [digest])
    code.behaviours = behaviours
    code.exports = exports
    code.calls = calls
    code.uses = uses
    return code
}

private func server(_ digest: UInt8, uses: Set<String> = []) -> ModuleCode {
    module(digest, behaviours: ["gen_server"], exports: ["code_change/3"], uses: uses)
}

private func release(
    _ version: String, _ modules: [String: ModuleCode], consolidated: [String: ModuleCode] = [:],
    application: String? = nil, others: [ReleaseCode.Application] = []
) -> ReleaseCode {
    var app = ReleaseCode.Application(name: "app", version: application ?? version)
    app.modules = modules
    var release = ReleaseCode(version: version, applications: others + [app])
    release.consolidated = consolidated
    release.isConsolidated = !consolidated.isEmpty
    return release
}

private func lines(_ instructions: [Term]) -> [String] { instructions.map { $0.erlangText() } }

@Suite struct RelupWriterTests {
    private let writer = RelupWriter(root: "/r")

    private func refusal(_ old: ReleaseCode, _ new: ReleaseCode) -> RelupRefusal? {
        do throws(RelupRefusal) {
            _ = try writer.relup(from: old, to: new)
            return nil
        } catch {
            return error
        }
    }

    @Test func `everything stands still once, and what is called is loaded first`() throws {
        let relup = try writer.relup(
            from: release("1", ["s": server(1), "p": module(1), "gone": module(1)]),
            to: release(
                "2",
                ["s": server(2, uses: ["p", "a"]), "p": module(2, uses: ["a"]), "a": module(1)]))
        #expect(
            lines(relup.up) == [
                "{load_object_code,{app,\"2\",[a,p,s]}}", "point_of_no_return",
                "{load,{a,soft_purge,soft_purge}}", "{suspend,[s]}",
                "{load,{p,soft_purge,soft_purge}}", "{load,{s,soft_purge,soft_purge}}",
                "{code_change,up,[{s,[]}]}", "{resume,[s]}",
                "{remove,{gone,soft_purge,soft_purge}}",
            ])
        #expect(
            lines(relup.down) == [
                "{load_object_code,{app,\"1\",[gone,p,s]}}", "point_of_no_return",
                "{load,{gone,soft_purge,soft_purge}}", "{suspend,[s]}",
                "{code_change,down,[{s,[]}]}", "{load,{s,soft_purge,soft_purge}}",
                "{load,{p,soft_purge,soft_purge}}", "{resume,[s]}",
                "{remove,{a,soft_purge,soft_purge}}",
            ])
        #expect(relup.suspended == ["s"])
        #expect(relup.removed == ["gone"])
        let text = String(decoding: relup.text, as: UTF8.self)
        #expect(text.contains("{\"2\",[{\"1\",[],["))
    }

    @Test func `supervisors are asked by the code that they get, each way`() throws {
        func sup(_ digest: UInt8) -> ModuleCode { module(digest, behaviours: ["supervisor"]) }
        let relup = try writer.relup(
            from: release("1", ["sup": sup(1)]), to: release("2", ["sup": sup(2)]))
        func script(_ phase: String) -> String {
            "{apply,{file,eval,[\"/r/releases/2/relup.script\","
                + "[{'Phase',\(phase)},{'Supervisors',[sup]}]]}}"
        }
        let middle = ["{load,{sup,soft_purge,soft_purge}}"]
        #expect(
            lines(relup.up).dropFirst(2) == [
                script("before"), "{suspend,[sup]}", middle[0], "{code_change,up,[{sup,[]}]}",
                "{resume,[sup]}", script("afterwards"),
            ])
        #expect(
            lines(relup.down).dropFirst(2) == [
                script("before"), "{suspend,[sup]}", middle[0], "{code_change,down,[{sup,[]}]}",
                "{resume,[sup]}", script("afterwards"),
            ])
    }

    @Test func `consolidated protocols follow their implementations, and their folder changes`()
        throws
    {
        let relup = try RelupWriter(root: "/r", configuration: [.atom("hook")]).relup(
            from: release("1", ["P": module(9)], consolidated: ["P": module(1), "Q": module(1)]),
            to: release(
                "2", ["P": module(8), "I": module(1)],
                consolidated: ["P": module(2), "Q": module(1), "N": module(1)]))
        #expect(
            lines(relup.up) == [
                "{load_object_code,{app,\"2\",['I']}}", "hook", "point_of_no_return",
                "{load,{'I',soft_purge,soft_purge}}",
                "{apply,{code,add_patha,[\"/r/releases/2/consolidated\"]}}",
                "{apply,{code,soft_purge,['N']}}", "{apply,{code,atomic_load,[['N']]}}",
                "{apply,{code,soft_purge,['P']}}", "{apply,{code,atomic_load,[['P']]}}",
                "{apply,{code,del_path,[\"/r/releases/1/consolidated\"]}}",
                "{apply,{code,del_path,[\"/r/lib/../releases/1/consolidated\"]}}",
            ])
        #expect(lines(relup.down).contains("{remove,{'N',soft_purge,soft_purge}}"))
    }

    @Test func `a channel's process is the library's, and a view's from LiveView 1.0.6 on`() throws
    {
        func up(_ behaviour: String, _ version: String) throws -> [String] {
            func view(_ digest: UInt8) -> ModuleCode {
                module(digest, behaviours: [behaviour], exports: ["code_change/3"])
            }
            let library = ReleaseCode.Application(name: "phoenix_live_view", version: version)
            return lines(
                try writer.relup(
                    from: release("1", ["v": view(1)], others: [library]),
                    to: release("2", ["v": view(2)], others: [library])
                ).up)
        }
        let channel = try up("Elixir.Phoenix.Channel", "0.1.0")
        #expect(channel.contains("{suspend,['Elixir.Phoenix.Channel.Server']}"))
        #expect(channel.contains("{code_change,up,[{'Elixir.Phoenix.Channel.Server',[]}]}"))
        #expect(try up("Elixir.Phoenix.LiveView", "1.0.5").allSatisfy { !$0.contains("suspend") })
        #expect(
            try up("Elixir.Phoenix.LiveView", "1.0.10")
                .contains("{suspend,['Elixir.Phoenix.LiveView.Channel']}"))
    }

    @Test func `an application that is new waits for changed code that it needs`() throws {
        var lib = ReleaseCode.Application(name: "lib", version: "1")
        lib.modules = ["lib": module(1)]
        var newer = lib
        newer.version = "2"
        newer.modules = ["lib": module(2)]
        var waiting = ReleaseCode.Application(name: "waiting", version: "1")
        waiting.needs = ["lib"]
        var free = ReleaseCode.Application(name: "free", version: "1")
        free.type = "temporary"
        let relup = try writer.relup(
            from: release("1", [:], others: [lib]),
            to: release("2", [:], others: [newer, waiting, free]))
        #expect(
            lines(relup.up) == [
                "{load_object_code,{lib,\"2\",[lib]}}", "point_of_no_return",
                "{apply,{application,start,[free,temporary]}}",
                "{load,{lib,soft_purge,soft_purge}}",
                "{apply,{application,start,[waiting,permanent]}}",
            ])
        #expect(
            lines(relup.down).suffix(6) == [
                "{apply,{application,stop,[waiting]}}", "{apply,{application,stop,[free]}}",
                "{apply,{application,unload,[waiting]}}", "{apply,{code,del_path,[waiting]}}",
                "{apply,{application,unload,[free]}}", "{apply,{code,del_path,[free]}}",
            ])
    }

    @Test func `new static files are told to those who keep the list of them`() throws {
        func app(_ version: String, _ manifest: UInt8, hears: Bool) -> ReleaseCode {
            var code = release(version, [:])
            code.applications[0].manifest = [manifest]
            code.applications[0].start = .init(
                module: "app", argument: [], hearsOfConfiguration: hears)
            return code
        }
        func up(_ manifest: UInt8, hears: Bool = true) throws -> [String] {
            lines(
                try writer.relup(
                    from: app("1", 1, hears: hears), to: app("2", manifest, hears: hears)
                ).up)
        }
        #expect(
            try up(2) == ["point_of_no_return", "{apply,{app,config_change,[[],[],[]]}}"])
        #expect(try up(1) == ["point_of_no_return"])
        #expect(try up(2, hears: false) == ["point_of_no_return"])
    }

    @Test func `what cannot be done is refused by name`() {
        func check(_ old: ModuleCode, _ new: ModuleCode, _ expected: RelupRefusal) {
            #expect(refusal(release("1", ["m": old]), release("2", ["m": new])) == expected)
            #expect(!expected.description.isEmpty)
        }
        var stripped = module(2)
        stripped.hasAttributes = false
        check(module(1), stripped, .withoutAttributes(module: "m"))
        check(server(1), module(2), .kindChanged(module: "m", from: .server, to: .plain))
        check(module(1), module(2, calls: ["erlang:load_nif/2"]), .nativeModule("m"))
        check(
            module(1), module(2, calls: ["Elixir.Supervisor:start_link/2"]),
            .anonymousSupervisor(module: "m"))
        check(
            module(1, behaviours: ["supervisor"]),
            module(2, behaviours: ["supervisor"], calls: ["ets:new/2"]),
            .supervisorWithEffects(module: "m", call: "ets:new/2"))
        check(
            module(1, behaviours: ["gen_statem"]), module(2, behaviours: ["gen_statem"]),
            .stateMachine(module: "m"))
        let long = String(repeating: "x", count: 256)
        #expect(
            refusal(release("1", [long: module(1)]), release("2", [long: module(2)]))
                == .badName(long))
        #expect(
            refusal(
                release("1", ["m": module(1)]), release("2", ["m": module(2)], application: "1"))
                == .changedUnderSameVersion(application: "app", version: "1", module: "m"))
        #expect(
            refusal(
                release("1", ["m": module(1)]), release("2", [:], application: "1"))
                == .changedUnderSameVersion(application: "app", version: "1", module: "m"))
        var other = ReleaseCode.Application(name: "other", version: "1")
        other.modules = ["m": module(1)]
        #expect(
            refusal(release("1", [:]), release("2", ["m": module(1)], others: [other]))
                == .moduleOfTwoApplications(module: "m", "other", "app"))
    }

    @Test func `a supervisor of its own may call nothing else, and may start by a list`() {
        // A module-based supervisor starts itself by the same call.
        func sup(_ digest: UInt8) -> ModuleCode {
            module(
                digest, behaviours: ["Elixir.Supervisor"],
                calls: ["Elixir.Supervisor:start_link/2"])
        }
        #expect(refusal(release("1", ["m": sup(1)]), release("2", ["m": sup(2)])) == nil)
    }
}

@Suite struct RelupCompletionTests {
    private let own: [Term] = [
        .tuple([.atom("load_object_code"), .tuple([.atom("app"), .charlist("2"), [.atom("a")]])]),
        .atom("point_of_no_return"),
        .tuple([.atom("load"), .tuple([.atom("a"), .atom("x"), .atom("y")])]),
        .atom("rest"),
    ]

    private func completion(
        _ old: [String: ModuleCode], _ new: [String: ModuleCode],
        _ protocols: (UInt8, UInt8)? = nil
    ) throws(RelupRefusal) -> RelupCompletion {
        try RelupCompletion(
            from: release("1", old, consolidated: protocols.map { ["P": module($0.0)] } ?? [:]),
            to: release("2", new, consolidated: protocols.map { ["P": module($0.1)] } ?? [:]),
            writer: RelupWriter(root: "/r"))
    }

    @Test func `what an appup leaves out is loaded before its own instructions`() throws {
        let completion = try completion(
            ["a": module(1), "b": module(1), "same": module(1)],
            ["a": module(2), "b": module(2, uses: ["c"]), "c": module(1), "same": module(1)],
            (1, 2))
        #expect(completion.omitted(by: own) == ["b", "c"])
        #expect(
            lines(try completion.completed(own)) == [
                "{load_object_code,{app,\"2\",[a]}}", "{load_object_code,{app,\"2\",[c,b]}}",
                "point_of_no_return", "{load,{c,soft_purge,soft_purge}}",
                "{load,{b,soft_purge,soft_purge}}", "{load,{a,x,y}}",
                "{apply,{code,add_patha,[\"/r/releases/2/consolidated\"]}}",
                "{apply,{code,soft_purge,['P']}}", "{apply,{code,atomic_load,[['P']]}}", "rest",
                "{apply,{code,del_path,[\"/r/releases/1/consolidated\"]}}",
                "{apply,{code,del_path,[\"/r/lib/../releases/1/consolidated\"]}}",
            ])
    }

    @Test func `a whole relup stays as it is`() throws {
        let completion = try completion(["a": module(1)], ["a": module(2)])
        #expect(completion.omitted(by: own) == [])
        #expect(try completion.completed(own) == own)
    }

    @Test func `a process that an appup leaves out is not added`() throws {
        let completion = try completion(["s": server(1)], ["s": server(2)])
        #expect(throws: RelupRefusal.omittedProcesses(modules: ["s"])) {
            try completion.completed(own)
        }
    }
}

@Suite struct ModuleOrderTests {
    @Test func `what is used comes first, and circles stay together in the order of names`() {
        let uses = ["a": ["b", "z"], "b": ["c"], "c": ["b", "d"], "d": [], "e": ["a"]]
        let order = ModuleOrder.sorted(["e", "a", "b", "c", "d"]) { Set(uses[$0] ?? []) }
        #expect(order == ["d", "b", "c", "a", "e"])
    }

    @Test func `a long chain needs no stack`() {
        let count = 100_000
        let names = (0..<count).map { String($0) }
        let order = ModuleOrder.sorted(Set(names)) { [String((Int($0) ?? 0) + 1)] }
        #expect(order.first == String(count - 1))
        #expect(order.last == "0")
    }

    @Test func `each comes after all that it uses, whatever the graph`() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<200 {
            let names = (0..<12).map { "m\($0)" }
            var uses: [String: Set<String>] = [:]
            for (index, name) in names.enumerated() where index > 0 {
                uses[name] = Set(
                    (0..<3).map { _ in names[Int.random(in: 0..<index, using: &random)] })
            }
            let order = ModuleOrder.sorted(Set(names)) { uses[$0] ?? [] }
            #expect(order.count == names.count)
            for (position, name) in order.enumerated() {
                #expect(uses[name, default: []].isSubset(of: order[..<position]))
            }
        }
    }
}
