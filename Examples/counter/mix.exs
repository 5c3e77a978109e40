Code.require_file("rel/hot_upgrade.exs", __DIR__)

defmodule Counter.MixProject do
  use Mix.Project

  # What each version is made of: lib/, with the files of these folders of versions/ laid over it.
  # Choose one with COUNTER_VERSION; each has a build folder of its own.
  @versions %{
    "0.1.0" => [],
    "0.1.1" => [],
    "0.1.2" => ["0.1.2"],
    "0.1.3" => ["0.1.2", "0.1.3"],
    "0.1.4" => ["0.1.2", "0.1.4"],
    "0.2.0" => ["0.1.2"]
  }

  def project do
    version = System.get_env("COUNTER_VERSION", "0.1.0")

    [
      app: :counter,
      version: version,
      elixir: "~> 1.14",
      elixirc_paths: sources(version),
      build_path: "_build/#{version}",
      start_permanent: Mix.env() == :prod,
      releases: [
        counter: [
          include_executables_for: [:unix],
          steps: [:assemble, &HotUpgrade.copy_relfile/1, &HotUpgrade.copy_appup/1, :tar]
        ]
      ],
      deps: []
    ]
  end

  # :sasl brings release_handler, which installs hot upgrades; :ssl the distribution over TLS.
  def application do
    [mod: {Counter.Application, []}, extra_applications: [:logger, :sasl, :ssl]]
  end

  defp sources(version) do
    folders =
      Map.get(@versions, version) ||
        Mix.raise("no version #{version}; there are #{Enum.join(Map.keys(@versions), ", ")}")

    ["." | Enum.map(folders, &"versions/#{&1}")]
    |> Enum.flat_map(fn folder ->
      for path <- Path.wildcard("#{folder}/lib/**/*.ex"),
          do: {Path.relative_to(path, folder), path}
    end)
    |> Map.new()
    |> Map.values()
  end
end
