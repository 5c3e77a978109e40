internal import ExternalTermFormat
internal import FoundationEssentials
internal import Supervisor
internal import Transport

/// The configuration with which a release would boot: its `sys.config`, changed by `runtime.exs`
/// and the other configuration providers.
///
/// An installation sets every application's environment from `releases/VERSION/sys.config`, and
/// runs no provider. So deployex asks the new release beforehand, in its own folder, with its own
/// code and the instance's environment, and puts the answer where the installation reads it.
///
/// It holds secrets: it goes through files that only their owner reads, and into no log. That is
/// why it has no description.
///
/// Source: `change_appl_data`, `release_handler`, SASL; `Config.Provider`, Elixir.
struct ResolvedConfiguration: Sendable {
    /// `[{Application, [{Key, Value}]}]`.
    let applications: Term

    /// The limit for bytes of output, and of terms: more than a very large application's
    /// configuration.
    static let maximumByteCount = 16 << 20
}

extension ResolvedConfiguration {
    private static let marker = "deployex-configuration:"

    /// The expression that the new release evaluates.
    ///
    /// By then `bin/NAME eval` has run the providers, as every boot does, and has started nothing.
    /// The expression takes the environments of the applications in the `.rel` file. It loads the
    /// applications: if the providers make the emulator reboot, their result reaches an application
    /// only by loading. Loading brings the defaults of the `.app` files; they are left out, because
    /// `release_handler` adds them by itself. `kernel` and `stdlib` set more for themselves: of
    /// these only configured settings count. (Providers configure these two only with a reboot, and
    /// their result is then in a file. If that is pruned, these settings keep the values of
    /// `sys.config` until the next boot; both read most of them only then.)
    static let expression = #"""
        root = System.fetch_env!("RELEASE_ROOT")
        name = System.fetch_env!("RELEASE_NAME")
        folder = Path.join([root, "releases", System.fetch_env!("RELEASE_VSN")])
        consult = fn path -> with {:ok, [term]} <- :file.consult(path), do: term, else: (_ -> []) end
        {:ok, [pristine]} = :file.consult(Path.join(folder, "sys.config"))
        {:release, _, _, parts} = consult.(Path.join(folder, name <> ".rel"))
        booted = consult.(System.get_env("RELEASE_SYS_CONFIG", "") <> ".config")
        apps = Enum.map(parts, &elem(&1, 0)) ++ Keyword.keys(pristine) ++ Keyword.keys(booted)
        Enum.each(apps, &:application.load/1)
        config =
          for app <- Enum.uniq(apps),
              given = Keyword.get(pristine, app, []) ++ Keyword.get(booted, app, []),
              defaults =
                (with path when is_list(path) <- :code.where_is_file(:erlang.atom_to_list(app) ++ [?., ?a, ?p, ?p]),
                      {:application, _, properties} <- consult.(path) do
                   Keyword.get(properties, :env, [])
                 else
                   _ -> []
                 end),
              env =
                (for {key, value} <- :application.get_all_env(app),
                     key != :config_provider_booted,
                     Keyword.has_key?(given, key) or
                       (app not in [:kernel, :stdlib] and {key, value} not in defaults),
                     do: {key, value}),
              env != [],
              do: {app, env}
        IO.puts(["\ndeployex-configuration:", Base.encode64(:erlang.term_to_binary({root, config}))])
        """#

    /// Reads the result of ``expression`` from the program's output, which may hold other text,
    /// too.
    ///
    /// Paths into the folder of the staged release become paths into `root`, which holds the same
    /// files once the release is installed.
    init(output: [UInt8], root: String) throws(FileSystemError) {
        let marker = Array(Self.marker.utf8)
        let line = output.split(separator: UInt8(ascii: "\n")).last { $0.starts(with: marker) }
        guard let line else { throw .unusable("the release printed no configuration") }
        guard let bytes = Data(base64Encoded: Data(line.dropFirst(marker.count))) else {
            throw .unusable("the release printed a damaged configuration")
        }
        let term = try converting(
            { (_: TermError) in
                FileSystemError.unusable("the release printed a configuration that is no term")
            }, Term(decoding: Array(bytes)))
        guard let parts = term.asTuple, parts.count == 2, let staged = parts[0].asBinary,
            staged.count > 1, let settings = Self.settings(parts[1])
        else { throw .unusable("the release printed what is no configuration") }
        if let setting = settings.first(where: { !$0.value.isExpressible }) {
            throw .unusable(
                "\(setting.key) holds a pid, reference, port or local function, which no file can "
                    + "hold")
        }
        applications = Relocation(from: staged, to: Array(root.utf8)).apply(to: parts[1])
    }

    /// The content of a `sys.config`.
    var text: [UInt8] { ErlangFile.bytes([applications]) }

    /// The settings of all applications, each as `application.key`; `nil` if the term is not a
    /// configuration.
    private static func settings(_ term: Term) -> [(key: String, value: Term)]? {
        guard let applications = term.asList else { return nil }
        var settings: [(key: String, value: Term)] = []
        for application in applications {
            guard let parts = application.asTuple, parts.count == 2, let name = parts[0].asAtom,
                let environment = parts[1].asList
            else { return nil }
            for entry in environment {
                guard let pair = entry.asTuple, pair.count == 2, let key = pair[0].asAtom
                else { return nil }
                settings.append(("\(name.name).\(key.name)", pair[1]))
            }
        }
        return settings
    }
}

extension Term {
    /// Whether `file:consult/1` can read it back.
    fileprivate var isExpressible: Bool {
        switch self {
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .export: true
        case .pid, .port, .reference, .record, .fun: false
        case .tuple(let elements): elements.allSatisfy(\.isExpressible)
        case .list(let elements): elements.allSatisfy(\.isExpressible)
        case .improperList(let elements, let tail):
            elements.allSatisfy(\.isExpressible) && tail.isExpressible
        case .map(let map): map.pairs.allSatisfy { $0.key.isExpressible && $0.value.isExpressible }
        }
    }
}
