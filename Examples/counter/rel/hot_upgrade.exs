defmodule HotUpgrade do
  @moduledoc """
  The release steps that make a package fit for hot upgrades.

  `release_handler` and `systools` want two files that `mix release` does not write. Both steps run
  between `:assemble` and `:tar`.
  """

  @doc """
  Copies `releases/VERSION/NAME.rel` to `releases/NAME-VERSION.rel`.

  There `systools:make_relup/4` finds the old release beside the new one.
  """
  def copy_relfile(release) do
    File.cp!(
      Path.join(release.version_path, "#{release.name}.rel"),
      Path.join([release.path, "releases", "#{release.name}-#{release.version}.rel"])
    )

    release
  end

  @doc """
  Copies `versions/VERSION/NAME.appup` beside the application's beams.

  Without this file the package is an ordinary one, for a full deployment.
  """
  def copy_appup(release) do
    appup = "versions/#{release.version}/#{release.name}.appup"
    ebin = Path.join([release.path, "lib", "#{release.name}-#{release.version}", "ebin"])

    if File.exists?(appup), do: File.cp!(appup, Path.join(ebin, "#{release.name}.appup"))
    release
  end
end
