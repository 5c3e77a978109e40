defmodule Shop do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _arguments) do
    Supervisor.start_link([{Agent, fn -> [] end}], strategy: :one_for_one, name: Shop.Supervisor)
  end
end
