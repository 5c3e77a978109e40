defmodule Counter.Pages do
  @moduledoc """
  Answers requests: what `Counter.HTTP` has read comes in, a status and a JSON object go out.

      GET  /            the counter, and which process on which node holds it
      POST /increment   adds one first
      POST /reset       begins again with 0
      GET  /print/TEXT  writes a line to stdout first
      POST /crash       ends the virtual machine at once, with exit status 1
  """

  @doc "The status and the members of the JSON object for one request."
  def answer("GET", "/"), do: {200, members(Counter.Server.report())}
  def answer("POST", "/increment"), do: {200, members(Counter.Server.increment())}
  def answer("POST", "/reset"), do: {200, members(Counter.Server.reset())}
  def answer("GET", "/print/" <> text), do: {200, members(print(text))}
  def answer("POST", "/crash"), do: :erlang.halt(1)
  def answer(_method, _path), do: {404, [error: "no such page"]}

  # Returns when the line is on its way to the file behind stdout.
  defp print(text) do
    IO.puts(text)
    Counter.Server.report()
  end

  defp members(report) do
    [
      app: "counter",
      version: to_string(Application.spec(:counter, :vsn)),
      os_pid: String.to_integer(System.pid()),
      node: to_string(node()),
      instance: instance(System.get_env("RELEASE_NODE_SUFFIX")),
      greeting: Application.fetch_env!(:counter, :greeting)
    ] ++ report
  end

  defp instance("-" <> number), do: String.to_integer(number)
  defp instance(_), do: nil
end
