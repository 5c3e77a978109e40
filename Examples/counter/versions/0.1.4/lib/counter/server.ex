defmodule Counter.Server do
  @moduledoc "Cannot take over the state of 0.1.2: for seeing a hot upgrade that fails half-way."

  use GenServer

  @vsn "3"

  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "What there is to show, in the order in which it is shown."
  def report, do: GenServer.call(__MODULE__, :report)

  @doc "Adds one, and answers like `report/0`."
  def increment, do: GenServer.call(__MODULE__, :increment)

  @doc "Begins again with 0, and answers like `report/0`."
  def reset, do: GenServer.call(__MODULE__, :reset)

  @impl true
  def init([]), do: {:ok, beginning_now(0)}

  @impl true
  def handle_call(:report, _from, state), do: reply(state)
  def handle_call(:increment, _from, state), do: reply(%{state | count: state.count + 1})
  def handle_call(:reset, _from, _state), do: reply(beginning_now(0))

  @impl true
  def code_change(_from, _state, _extra), do: raise("version 0.1.4 cannot take over the state")

  defp beginning_now(count) do
    %{count: count, since: DateTime.utc_now() |> DateTime.truncate(:second)}
  end

  defp reply(state) do
    {:reply, [counter: state.count, since: DateTime.to_iso8601(state.since)], state}
  end
end
