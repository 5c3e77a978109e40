import Config

# An install resets every application's environment to what was built. Seen in an answer, this
# greeting says that config/runtime.exs was forgotten on the way.
config :counter, greeting: "config/runtime.exs has not run", port: 4000

config :logger, :console, format: "$time [$level] $message\n"
