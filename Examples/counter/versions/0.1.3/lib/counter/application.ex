defmodule Counter.Application do
  @moduledoc "Cannot start: for seeing what becomes of a version that is broken."

  use Application

  @impl true
  def start(_type, _args), do: raise("version 0.1.3 cannot start")
end
