defmodule Counter.Server do
  @moduledoc """
  Holds the counter, and since when it counts.

  Up to version 0.1.1 the state was the number alone. A hot upgrade keeps the process and its number:
  `release_handler` suspends the process, calls `code_change/3`, and lets it go on with the new state.
  """

  use GenServer

  @vsn "2"

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

  # Up from "1" comes a number; down to "1" goes a number. Since when the old version had been
  # counting nobody knows: it begins with the upgrade.
  @impl true
  def code_change({:down, "1"}, state, _extra), do: {:ok, state.count}
  def code_change("1", count, _extra), do: {:ok, beginning_now(count)}

  defp beginning_now(count) do
    %{count: count, since: DateTime.utc_now() |> DateTime.truncate(:second)}
  end

  defp reply(state) do
    {:reply, [counter: state.count, since: DateTime.to_iso8601(state.since)], state}
  end
end
