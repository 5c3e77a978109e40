internal import ExternalTermFormat
internal import Supervisor

/// The configuration with which a release would boot: its `sys.config`, changed by `runtime.exs`
/// and the other configuration providers.
///
/// An installation sets every application's environment from `releases/VERSION/sys.config`, and
/// runs no provider. So deployex asks the new release beforehand, in its own folder, with its own
/// code and the instance's environment, and puts the answer where the installation reads it.
///
/// What no text can hold, such as the local function in an Ecto TLS configuration, comes with the
/// first instruction of the relup (``hook``).
///
/// It holds secrets: it goes through files that only their owner reads, and into no log. That is
/// why it has no description.
///
/// Source: `change_appl_data`, `release_handler`, SASL; `Config.Provider`, Elixir.
struct ResolvedConfiguration: Equatable, Sendable {
    /// `[{Application, [{Key, Value}]}]`.
    let applications: Term
    /// The settings among them that no text can hold, in the same form.
    let carried: Term

    /// The limit for bytes of output, and of terms: more than a very large application's
    /// configuration.
    static let maximumByteCount = 16 << 20
}

extension ResolvedConfiguration {
    /// Paths into the folder of the staged release become paths into `root`, which holds the same
    /// files once the release is installed.
    /// - Parameter keeps: whether the code of a module, given by its digest, is the same in both
    ///   releases, so that functions of it can be carried.
    init(
        _ answer: StagedAnswer, root: String, keeps: (_ module: String, _ digest: [UInt8]) -> Bool
    ) throws(FileSystemError) {
        let moved = Relocation(from: answer.root, to: Array(root.utf8))
            .apply(to: answer.configuration)
        guard let list = Self.read(moved) else {
            throw .unusable("the release printed what is no configuration")
        }
        var carried: [Term] = []
        for (application, settings) in list {
            var kept: [Term] = []
            for (key, value) in settings {
                switch value.carriage(keeps: keeps) {
                case .text: continue
                case .term: kept.append(.tuple([.atom(key), value]))
                case .none(let what): throw .unusable("\(application.name).\(key.name) \(what)")
                }
            }
            if !kept.isEmpty { carried.append(.tuple([.atom(application), .list(kept)])) }
        }
        (applications, self.carried) = (moved, .list(carried))
    }

    /// The content of a `sys.config`: what text can hold.
    var text: [UInt8] {
        let carried = Self.read(carried) ?? []
        guard !carried.isEmpty else { return ErlangFile.bytes([applications]) }
        let list = (Self.read(applications) ?? []).map { application, settings -> Term in
            let left = Set(carried.first { $0.0 == application }?.1.map(\.0) ?? [])
            let kept = settings.filter { !left.contains($0.0) }
            return .tuple([
                .atom(application), .list(kept.map { .tuple([.atom($0.0), $0.1]) }),
            ])
        }
        return ErlangFile.bytes([.list(list)])
    }

    /// An instruction of a relup that sets what text cannot hold, as an external term in a binary;
    /// `nil` if there is nothing.
    ///
    /// `release_handler` applies it right after it has set the environment from `sys.config`, before
    /// any code is loaded: `{apply, {erl_eval, exprs, [Expressions, Bindings]}}`, for
    /// `application:set_env(erlang:binary_to_term(Configuration))`.
    var hook: Term? {
        guard carried.asList?.isEmpty == false else { return nil }
        func call(_ module: Atom, _ function: Atom, _ argument: Term) -> Term {
            .tuple([
                .atom("call"), 0,
                .tuple([
                    .atom("remote"), 0, .tuple([.atom("atom"), 0, .atom(module)]),
                    .tuple([.atom("atom"), 0, .atom(function)]),
                ]), [argument],
            ])
        }
        let name: Term = .atom("Configuration")
        let expression = call(
            "application", "set_env",
            call("erlang", "binary_to_term", .tuple([.atom("var"), 0, name])))
        let bindings: Term = [.tuple([name, .binary(carried.encoded())])]
        return .tuple([
            .atom("apply"),
            .tuple([.atom("erl_eval"), .atom("exprs"), [[expression], bindings]]),
        ])
    }

    /// The settings of all applications; `nil` if the term is not a configuration.
    private static func read(_ term: Term) -> [(Atom, [(Atom, Term)])]? {
        guard let applications = term.asList else { return nil }
        var found: [(Atom, [(Atom, Term)])] = []
        for application in applications {
            guard let parts = application.asTuple, parts.count == 2, let name = parts[0].asAtom,
                let environment = parts[1].asList
            else { return nil }
            var settings: [(Atom, Term)] = []
            for entry in environment {
                guard let pair = entry.asTuple, pair.count == 2, let key = pair[0].asAtom
                else { return nil }
                settings.append((key, pair[1]))
            }
            found.append((name, settings))
        }
        return found
    }
}

/// How a term reaches the node.
private enum Carriage: Equatable {
    /// `file:consult/1` can read it back.
    case text
    /// As an external term.
    case term
    /// Not at all; the text continues a sentence that begins with what holds it.
    case none(String)
}

extension Term {
    fileprivate func carriage(keeps: (String, [UInt8]) -> Bool) -> Carriage {
        switch self {
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .export: return .text
        case .pid: return .none("holds a pid")
        case .port: return .none("holds a port")
        case .reference: return .none("holds a reference, as a compiled regular expression does")
        case .record: return .none("holds a record that only its own node has")
        case .fun(let fun):
            guard keeps(fun.module.name, fun.uniq) else {
                return .none("holds a local function of \(fun.module.name), whose code changes")
            }
            if case .none(let what) = Self.carriage(fun.freeVariables, keeps) {
                return .none(what)
            }
            return .term
        case .tuple(let elements): return Self.carriage(elements, keeps)
        case .list(let elements): return Self.carriage(elements, keeps)
        case .improperList(let elements, let tail):
            return Self.carriage(Array(elements) + [tail], keeps)
        case .map(let map):
            return Self.carriage(map.pairs.flatMap { [$0.key, $0.value] }, keeps)
        }
    }

    private static func carriage(
        _ elements: some Sequence<Term>, _ keeps: (String, [UInt8]) -> Bool
    ) -> Carriage {
        var found = Carriage.text
        for element in elements {
            switch element.carriage(keeps: keeps) {
            case .text: continue
            case .term: found = .term
            case .none(let what): return .none(what)
            }
        }
        return found
    }
}
