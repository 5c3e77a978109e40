defmodule Counter.Server do
  @moduledoc "Holds the counter. The state is the number itself; version 0.1.2 changes that."

  use GenServer

  @vsn "1"

  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "What there is to show, in the order in which it is shown."
  def report, do: GenServer.call(__MODULE__, :report)

  @doc "Adds one, and answers like `report/0`."
  def increment, do: GenServer.call(__MODULE__, :increment)

  @impl true
  def init([]), do: {:ok, 0}

  @impl true
  def handle_call(:report, _from, count), do: {:reply, [counter: count], count}
  def handle_call(:increment, _from, count), do: {:reply, [counter: count + 1], count + 1}
end
