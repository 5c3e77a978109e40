defmodule ShopWeb.MixProject do
  use Mix.Project

  def project do
    [
      app: :shop_web,
      version: "0.3.0",
      build_path: "../../_build",
      config_path: "../../config/config.exs",
      deps_path: "../../deps",
      lockfile: "../../mix.lock",
      deps: [{:shop, in_umbrella: true}]
    ]
  end

  def application, do: [mod: {ShopWeb, []}, extra_applications: [:logger]]
end
