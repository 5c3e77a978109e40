import Config

config :counter,
  port: String.to_integer(System.get_env("PORT", "4000")),
  greeting: System.get_env("GREETING", "hello")

# deployex listens for this application, and this process has inherited the socket.
if number = System.get_env("DEPLOYEX_LISTEN_FD_HTTP") do
  config :counter, fd: String.to_integer(number)
end
