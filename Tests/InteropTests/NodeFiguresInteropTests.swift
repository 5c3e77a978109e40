import ErlDist
import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import Deployment

/// What is asked of real nodes.
extension DistTests {
    @Suite struct NodeFiguresInteropTests {
        private func withPeer(
            _ body: @Sendable (DistPeer, DistributedNode) async throws -> Void
        ) async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = DistributedNode(peer.name, from: try fixture.node("caller"))
            try await body(peer, node)
        }

        private static func error<Value>(
            _ body: () async throws -> Value
        ) async -> NodeError? {
            do {
                _ = try await body()
                return nil
            } catch {
                return error as? NodeError
            }
        }

        @Test func `the forms are those of the source`() async throws {
            try await withPeer { peer, node in
                let source = RemoteScript.source.split(separator: "\n").joined(separator: " ")
                let forms = try await peer(
                    "begin {ok, T, _} = erl_scan:string(\(Term.charlist(source))), "
                        + "{ok, F} = erl_parse:parse_exprs(T), "
                        + "{block, _, G} = erl_parse:map_anno(fun(_) -> 0 end, {block, 1, F}), G end"
                )
                #expect(try Term(text: forms) == RemoteScript.forms)
            }
        }

        @Test func `a node tells its figures, and nothing of ours stays`() async throws {
            try await withPeer { peer, node in
                _ = try await NodeSample(of: node)
                let before = try await peer("erlang:system_info(process_count)")
                let modules = try await peer("length(code:all_loaded())")
                let first = try await NodeSample(of: node)
                #expect(first.memory.total > first.memory.processes)
                #expect(first.processes.limit > first.processes.count)
                #expect(first.atoms.count > 1000)
                #expect(first.schedulerTimes == nil)
                #expect(first.costMicroseconds > 0)
                let second = try await NodeSample(of: node)
                let figures = NodeFigures(second, at: 1, since: first)
                #expect((figures.reductionsPerSecond ?? 0) > 0)
                #expect(try await peer("erlang:statistics(scheduler_wall_time)") == "undefined")
                #expect(try await peer("length(code:all_loaded())") == modules)
                // The process that watches over a script ends when it learns of the script's end.
                try await eventually("as many processes as before") {
                    try await peer("erlang:system_info(process_count)") == before
                }
            }
        }

        @Test func `scheduler times are used where the node counts them`() async throws {
            try await withPeer { peer, node in
                // It counts as long as the process lives that has switched it on.
                _ = try await peer(
                    "begin S = self(), spawn(fun() -> "
                        + "erlang:system_flag(scheduler_wall_time, true), S ! on, "
                        + "receive stop -> ok end end), receive on -> ok end end")
                let first = try await NodeSample(of: node)
                #expect(first.schedulerTimes?.count == first.schedulersOnline)
                _ = try await peer("lists:seq(1, 100000)")
                let figures = NodeFigures(
                    try await NodeSample(of: node), at: 1, since: first)
                #expect(figures.utilization?.count == first.schedulersOnline)
            }
        }

        @Test func `a script that takes too long or too much is ended on the node`() async throws {
            try await withPeer { peer, node in
                let slow = RemoteScript(
                    "fun() -> register(slow, self()), timer:sleep(infinity) end.",
                    deadline: .milliseconds(100))
                #expect(await Self.error { try await slow.run(on: node) } == .call(.timedOut))
                try await eventually("the end of the slow script") {
                    try await peer("whereis(slow)") == "undefined"
                }
                let large = RemoteScript("fun() -> lists:seq(1, 100000000) end.")
                #expect(await Self.error { try await large.run(on: node) } != nil)
                #expect(try await peer("1 + 1") == "2")
            }
        }

        @Test func `the processes that use most come first`() async throws {
            try await withPeer { peer, node in
                _ = try await peer(
                    "register(big, spawn(fun() -> L = lists:seq(1, 500000), "
                        + "receive stop -> length(L) end end))")
                _ = try await peer(
                    "begin P = spawn(fun() -> receive stop -> ok end end), register(busy, P), "
                        + "[P ! {x, N} || N <- lists:seq(1, 5000)], ok end")
                let byMemory = try await ProcessList(of: node, by: .memory, limit: 3)
                #expect(byMemory.entries.map(\.name).contains("big"))
                #expect(byMemory.entries.count == 3)
                #expect(byMemory.count > 20)
                let byQueue = try await ProcessList(of: node, by: .queue, limit: 1)
                #expect(byQueue.entries.map(\.name) == ["busy"])
                #expect(byQueue.entries.first?.queueLength == 5000)
                let byReductions = try await ProcessList(of: node, by: .reductions, limit: 1000)
                let reductions = byReductions.entries.map(\.reductions)
                #expect(reductions.first == reductions.max())
                let supervisor = byReductions.entries.first { $0.name == "kernel_sup" }
                #expect(supervisor?.initialCall == "{supervisor,kernel,1}")
            }
        }

        @Test func `one process tells what it does, and its state only if asked for it`()
            async throws
        {
            try await withPeer { peer, node in
                let pid = try await peer("list_to_atom(pid_to_list(whereis(kernel_sup)))")
                    .filter { $0 != "'" }
                let plain = try await ProcessDetails(of: pid, on: node, withState: false)
                #expect(plain.term["name"] == .binary("kernel_sup"))
                #expect(plain.term["state"] == .null)
                #expect((plain.term["links"]?["count"]?.asInteger ?? 0) > 0)
                #expect((plain.term["stacktrace"]?.asList?.count ?? 0) > 0)
                let full = try await ProcessDetails(of: pid, on: node, withState: true)
                #expect(full.term["state"]?.asText?.contains("one_for_all") == true)
                #expect(
                    await Self.error {
                        try await ProcessDetails(of: "<0.99999.0>", on: node, withState: true)
                    } != nil)
                // One that no system message reaches gets none.
                let other = try await peer(
                    "begin Q = spawn(fun() -> receive stop -> ok end end), "
                        + "put(q, Q), list_to_atom(pid_to_list(Q)) end"
                ).filter { $0 != "'" }
                let raw = try await ProcessDetails(of: other, on: node, withState: true)
                #expect(raw.term["state"] == .null)
                #expect(try await peer("process_info(get(q), message_queue_len)").contains(",0}"))
            }
        }

        @Test func `an application's supervisors and workers make a tree`() async throws {
            try await withPeer { peer, node in
                #expect(peer.name.alive == "peer")
                let tree = try await SupervisionTree(of: "kernel", on: node)
                #expect(tree.isSupervisor)
                let children = tree.children
                #expect(children.contains { $0.id == "code_server" && !$0.isSupervisor })
                let logger = children.first { $0.id == "logger_sup" }
                #expect((logger?.children.count ?? 0) > 1)
                #expect(
                    await Self.error { try await SupervisionTree(of: "stdlib", on: node) } != nil)
                #expect(
                    await Self.error {
                        try await SupervisionTree(of: "no_such_application", on: node)
                    } != nil)
            }
        }

        @Test func `a worker that is declared as a supervisor is not asked`() async throws {
            try await withPeer { peer, node in
                // The last of net_sup's kind: `user` is declared as one in kernel itself.
                let tree = try await SupervisionTree(of: "kernel", on: node)
                let user = tree.children.first { $0.id == "user" }
                #expect(user?.isSupervisor == true)
                #expect(user?.children.isEmpty == true)
                #expect(try await peer("is_pid(whereis(user))") == "true")
            }
        }

        @Test func `tables and applications are listed`() async throws {
            try await withPeer { peer, node in
                _ = try await peer(
                    "begin T = ets:new(mine, [public, named_table, bag]), "
                        + "ets:insert(T, [{N, lists:seq(1, 500)} || N <- lists:seq(1, 1000)]) end")
                let tables = try await TableList(of: node)
                let first = tables.term["tables"]?.asList?.first
                #expect(first?["name"] == .binary("mine"))
                #expect(first?["type"] == .binary("bag"))
                #expect(first?["size"] == 1000)
                let applications = try await ApplicationList(of: node)
                #expect(applications.version(of: "kernel") != nil)
                #expect(applications.entries.first { $0.name == "stdlib" }?.isStarted == true)
            }
        }

        @Test func `details name the releases and the addresses of endpoints`() async throws {
            try await withPeer { peer, node in
                _ = try await peer(
                    """
                    begin \
                    M = 'Elixir.Shop.Endpoint', \
                    F = [{attribute,1,module,M},{attribute,1,export,[{url,0}]},\
                    {function,1,url,0,[{clause,1,[],[],[{bin,1,[{bin_element,1,\
                    {string,1,"http://localhost:4000"},default,default}]}]}]}], \
                    {ok, M, B} = compile:forms(F), {module, M} = code:load_binary(M, "x", B), \
                    application:load({application, shop, [{vsn, "1.2"}, {modules, [M]}]}), \
                    application:start(shop) end
                    """)
                let details = try await NodeDetails(of: node)
                let number = try await OTPRelease.number.value
                #expect(details.release == "\(number)")
                #expect(!details.runtimeSystem.isEmpty)
                #expect(details.addresses == ["http://localhost:4000"])
                #expect(details.applications.version(of: "shop") == "1.2")
            }
        }
    }
}
