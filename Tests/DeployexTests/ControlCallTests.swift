import Deployment
import ExternalTermFormat
import Supervisor
import Testing

@testable import deployex

private let one = InstanceDirectory([.init(name: "counter", replicas: 3)])
private let two = InstanceDirectory([
    .init(name: "counter", replicas: 3), .init(name: "web_app", replicas: 1),
])
private let second = InstanceName(app: "counter", number: 2)
private let web = InstanceName(app: "web_app", number: 1)

/// A call as Erlang writes it: `restart([2])`.
private func parse(
    _ function: String, _ arguments: String, _ directory: InstanceDirectory = one
) throws -> ControlCall? {
    let list = try #require(Term(text: arguments).asList)
    return try ControlCall.parse(function, list, in: directory)
}

private func refusal(
    _ function: String, _ arguments: [Term], _ directory: InstanceDirectory = one
) -> String? {
    do throws(ControlRefusal) {
        _ = try ControlCall.parse(function, arguments, in: directory)
        return nil
    } catch {
        return error.description
    }
}

@Suite struct ControlCallTests {
    @Test(arguments: [
        ("status", "[]", ControlCall.status(application: nil)),
        ("status", #"[<<"counter">>]"#, .status(application: "counter")),
        ("stop_all", "[]", .stopAll),
        (
            "watch_status", "[counter,true,7,500]",
            .watchStatus(
                application: "counter", withUsage: true, after: 7, within: .milliseconds(500))
        ),
        ("versions", "[]", .versions(application: nil)),
        ("versions", #"[<<"counter">>]"#, .versions(application: "counter")),
        (
            "deploy", #"[<<"1.0.0">>]"#,
            .command(application: "counter", .deploy(version: "1.0.0"))
        ),
        ("deploy", "[auto]", .command(application: "counter", .deploy(version: nil))),
        (
            "deploy", #"["1.0.0"]"#,
            .command(application: "counter", .deploy(version: "1.0.0"))
        ),
        ("auto", "[]", .command(application: "counter", .deploy(version: nil))),
        ("rollback", "[counter]", .command(application: "counter", .rollback)),
        ("unghost", #"[counter,<<"1.0">>]"#, .command(application: "counter", .unghost("1.0"))),
        ("restart", "[2]", .command(application: "counter", .restart(2))),
        ("restart", #"[<<"counter-2">>]"#, .command(application: "counter", .restart(2))),
        ("stop", "[counter,2]", .command(application: "counter", .stop(2))),
        ("start", #"["counter","2"]"#, .command(application: "counter", .start(2))),
        ("verify", "[2]", .verify(second)),
        ("preflight", "[2, <<\"1.2.3\">>]", .preflight(second, version: "1.2.3")),
        ("tail", "[2,stderr,5]", .tail(second, .stderr, lines: 5)),
        (
            "read_log", "[2,stdout,{last,7}]",
            .readLog(.init(instance: second, stream: .stdout, start: .last(7)), within: .zero)
        ),
        (
            "read_logs", "[[{2,stdout,{last,7}},{deployex,stderr,{1,2}}],500]",
            .readLogs(
                [
                    .init(instance: second, stream: .stdout, start: .last(7)),
                    .init(
                        instance: nil, stream: .stderr,
                        start: .position(.init(offset: 1, inode: 2))),
                ], within: .milliseconds(500))
        ),
        (
            "read_log", #"["counter",2,<<"stdout">>,{1,2}]"#,
            .readLog(
                .init(
                    instance: second, stream: .stdout,
                    start: .position(.init(offset: 1, inode: 2))), within: .zero)
        ),
        (
            "follow_log", "[2,stderr,{1,2},500]",
            .readLog(
                .init(
                    instance: second, stream: .stderr,
                    start: .position(.init(offset: 1, inode: 2))), within: .milliseconds(500))
        ),
        ("instance", "[2]", .instance(second)),
        ("request", "[restart,[2]]", .request(application: "counter", .restart(2))),
        ("request", "[rollback,[counter]]", .request(application: "counter", .rollback)),
        (
            "await", #"[{idle,<<"counter">>,2,null},7,1000]"#,
            .awaitGoal(.idle(second), after: 7, within: .seconds(1))
        ),
    ])
    func `calls are understood as any BEAM writes them`(
        function: String, arguments: String, call: ControlCall
    ) throws {
        #expect(try parse(function, arguments) == call)
    }

    @Test func `where there are several the application is named, or the instance's name says it`()
        throws
    {
        #expect(
            try parse("restart", #"[<<"web_app-1">>]"#, two)
                == .command(application: "web_app", .restart(1)))
        #expect(try parse("instance", "[web_app,1]", two) == .instance(web))
        for (function, arguments) in [
            ("restart", [1]), ("deploy", [.binary("1.0")]), ("rollback", []),
            ("unghost", [.binary("1.0")]),
        ] as [(String, [Term])] {
            #expect(
                refusal(function, arguments, two)
                    == "there are several applications: name one of counter, web_app")
        }
    }

    @Test(arguments: [
        ("restart", "[4]", "counter has no instance 4, only 1 to 3"),
        ("restart", "[0]", "counter has no instance 0, only 1 to 3"),
        ("restart", "[{}]", "an instance is a number or a name as text, not {}"),
        ("restart", "[two]", "two is no instance: give its number, or its name as in counter-1"),
        ("restart", "['other-1']", "there is no application other, only counter"),
        ("restart", "[counter,'other-1']", "other-1 is no instance of counter"),
        ("restart", "[other,1]", "there is no application other, only counter"),
        ("restart", "[{},1]", "an application's name is text, not {}"),
        ("deploy", "[1]", "a version is text of letters, digits and ._+~-, not 1"),
        (
            "deploy", #"[<<"../1">>]"#,
            #"a version is text of letters, digits and ._+~-, not <<"../1">>"#
        ),
        ("tail", "[1,stdin,1]", "a stream is stdout or stderr, not stdin"),
        ("tail", "[1,stdout,-1]", "a number of lines is 0 to 100000, not -1"),
        (
            "read_log", "[1,stdout,{1,-2}]",
            "a position is {last,N}, or what an answer gave as next"
        ),
        (
            "watch_status", "[1,0,0]",
            "whether to measure what is used is true or false, not 1"
        ),
        ("read_logs", "[[],0]", "logs are a list of {Instance,Stream,Start}, 512 at most"),
        ("read_logs", "[[1],0]", "a log is {Instance,Stream,Start}, not 1"),
        ("read_logs", "[[{4,stdout,{last,1}}],0]", "counter has no instance 4, only 1 to 3"),
        ("request", "[restart,[4]]", "counter has no instance 4, only 1 to 3"),
        ("request", "[status,[]]", "status is no command with these arguments"),
        ("request", "[request,[restart,[1]]]", "request is no command with these arguments"),
        (
            "await", #"[{idle,<<"counter">>,4,null},0,0]"#,
            "counter has no instance 4, only 1 to 3"
        ),
        ("await", "[odd,0,0]", "a goal is what the answer to a request gave"),
        (
            "await", "[{all_idle,null,null,false},0,60001]",
            "a time is 0 to 60000 milliseconds, not 60001"
        ),
    ])
    func `wrong arguments are refused in one line`(
        function: String, arguments: String, message: String
    ) throws {
        let error = #expect(throws: ControlRefusal.self) { try parse(function, arguments) }
        #expect(error?.description == message)
    }

    @Test(arguments: [
        ("status", "[1,2]"), ("stop_all", "[1]"), ("no_such", "[]"), ("restart", "[]"),
        ("restart", "[1,2,3]"), ("module_info", "[]"),
    ])
    func `what is no function is undefined`(function: String, arguments: String) throws {
        #expect(try parse(function, arguments) == nil)
    }

    @Test func `no term makes a call trap`() {
        let odd: [Term] = [
            .list([]), .map(TermMap()), .binary([0xFF]), .float(1), .integer(.max), .integer(.min),
            .improperList([1], 2), .binary("-"), .binary("counter-"), .binary("-1"),
            .binary("counter-99999999999999999999"), .charlist(""), .atom(""),
        ]
        for function in [
            "deploy", "unghost", "restart", "instance", "versions", "tail", "read_log",
            "follow_log", "read_logs", "request", "await",
        ] {
            for first in odd {
                for second in odd {
                    _ = refusal(function, [first], two)
                    _ = refusal(function, [first, second], two)
                    _ = refusal(function, [1, first, second])
                    _ = refusal(function, [.tuple([first, second, first]), second, first])
                    _ = refusal(function, [.list([.tuple([first, second, first])]), second])
                    for kind in ["idle", "restarted", "version", "all_idle"] {
                        let goal = Term.tuple([
                            .atom(Atom(shortEnough: kind)), first, second, first,
                        ])
                        _ = refusal(function, [goal, second, first])
                    }
                    _ = refusal(function, [.atom("counter"), 1, first, second])
                }
            }
        }
    }

    @Test func `of arguments that are megabytes a few bytes are looked at and shown`() {
        let large: [Term] = [
            .binary([UInt8](repeating: 97, count: 16 << 20)),
            .list(TermList(integers: [Int](repeating: 97, count: 4_000_000))),
            Term(
                BigInteger(
                    isNegative: false,
                    littleEndianMagnitude: [UInt8](repeating: 255, count: 16 << 20))),
            .list([Term](repeating: .binary("x"), count: 100_000)),
            .atom(Atom(shortEnough: Self.longName)),
        ]
        for term in large {
            for function in ["deploy", "unghost", "restart", "stop", "start", "instance"] {
                let start = ContinuousClock.now
                let message = refusal(function, [term]) ?? ""
                #expect(!message.isEmpty && message.utf8.count < 400, "\(message)")
                #expect(ContinuousClock.now - start < .seconds(1))
            }
            for arguments in [[1, term, 1], [1, .atom("stdout"), term]] {
                #expect((refusal("tail", arguments) ?? "").utf8.count < 400)
                #expect((refusal("read_log", arguments) ?? "").utf8.count < 400)
            }
            #expect((refusal("auto", [term]) ?? "").utf8.count < 400)
        }
    }

    private static let longName = String(repeating: "a", count: 255)

    @Test func `a node's name leads to its instance, and others lead nowhere`() {
        #expect(two.instance(alive: "counter-2") == second)
        #expect(two.instance(alive: "web_app-1") == web)
        for alive in ["counter-4", "counter", "counter-0", "rem-123-counter-1", "2", "x-1", "-1"] {
            #expect(two.instance(alive: alive) == nil, "\(alive)")
        }
    }
}
