internal import ExternalTermFormat
internal import FoundationEssentials
internal import Supervisor
internal import Transport

/// What a staged release answers when it is asked, in its own folder and with its own code, for its
/// configuration and for the relup that leads to it.
struct StagedAnswer: Equatable, Sendable {
    /// The folder of the staged release, as it knows it.
    var root: [UInt8]
    /// `[{Application, [{Key, Value}]}]`, after the configuration providers.
    var configuration: Term
    /// `{ok, Relup}`, `{error, Text}`, or `nil` if it was not asked for.
    var relup: Term

    private static let marker = "deployex-configuration:"

    /// The variables by which ``expression`` learns what runs.
    enum Variable {
        /// The path of the running release's `.rel` file, without its extension.
        static let runningRelease = "DEPLOYEX_RUNNING_RELEASE"
        /// The folder of the running release.
        static let runningRoot = "DEPLOYEX_RUNNING_ROOT"
    }

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
    ///
    /// The relup is made here and not on the running node, which need not wait for it. `systools`
    /// is part of `sasl`, which the release has.
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
        relup =
          with running when is_binary(running) <- System.get_env("DEPLOYEX_RUNNING_RELEASE") do
            old = [String.to_charlist(running)]
            path =
              for top <- [root, System.fetch_env!("DEPLOYEX_RUNNING_ROOT")],
                  do: String.to_charlist(Path.join(top, "lib/*/ebin"))
            try do
              case :systools.make_relup(String.to_charlist(Path.join(folder, name)), old, old, [:silent, :noexec, path: path]) do
                {:ok, relup, _, _} -> {:ok, relup}
                {:error, module, reason} -> {:error, :unicode.characters_to_binary(module.format_error(reason))}
              end
            catch
              kind, reason -> {:error, Exception.format_banner(kind, reason, __STACKTRACE__)}
            end
          end
        IO.puts(["\ndeployex-configuration:", Base.encode64(:erlang.term_to_binary({root, config, relup}))])
        """#

    /// Reads the result of ``expression`` from the program's output, which may hold other text,
    /// too.
    init(output: [UInt8]) throws(FileSystemError) {
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
        guard let parts = term.asTuple, parts.count == 3, let root = parts[0].asBinary,
            root.count > 1
        else { throw .unusable("the release printed what is no configuration") }
        self.root = Array(root)
        (configuration, relup) = (parts[1], parts[2])
    }
}
