defmodule Counter.Application do
  @moduledoc "Starts the counter, and the HTTP listener that shows it."

  use Application

  @impl true
  def start(_type, _args) do
    children = [
      Counter.Server,
      {Task.Supervisor, name: Counter.Connections},
      {Counter.HTTP, Application.get_all_env(:counter) |> Keyword.take([:port, :fd])}
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: Counter.Supervisor)
  end
end
