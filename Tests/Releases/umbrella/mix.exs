defmodule Umbrella.MixProject do
  use Mix.Project

  # A release that is named like none of its applications, as umbrellas are released.
  def project do
    [
      apps_path: "apps",
      version: System.get_env("RELEASE_VERSION", "1.0.0"),
      start_permanent: Mix.env() == :prod,
      releases: [
        shop_prod: [
          version: System.get_env("RELEASE_VERSION", "1.0.0"),
          applications: [shop: :permanent, shop_web: :permanent, shop_tools: :load],
          include_executables_for: [:unix],
          steps: [:assemble, :tar]
        ]
      ],
      deps: []
    ]
  end
end
