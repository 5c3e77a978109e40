defmodule Counter.JSON do
  @moduledoc "Writes a flat JSON object of strings, integers and nulls. It reads nothing."

  @doc ~S"""
  The object's text as iodata, its members in the order given.

      Counter.JSON.object(counter: 1, node: "a@b", instance: nil)
      {"counter":1,"node":"a@b","instance":null}
  """
  def object(members) do
    [
      ?{,
      Enum.map_intersperse(members, ?,, fn {key, value} ->
        [?", to_string(key), ?", ?: | value(value)]
      end),
      ?}
    ]
  end

  defp value(nil), do: "null"
  defp value(integer) when is_integer(integer), do: Integer.to_string(integer)
  defp value(text) when is_binary(text), do: [?", escape(text), ?"]

  # An environment variable may hold any bytes; those that are not UTF-8 become U+FFFD.
  defp escape(<<char, rest::binary>>) when char in [?", ?\\], do: [?\\, char | escape(rest)]

  defp escape(<<char, rest::binary>>) when char < 0x20,
    do: [:io_lib.format("\\u~4.16.0b", [char]) | escape(rest)]

  defp escape(<<char::utf8, rest::binary>>), do: [<<char::utf8>> | escape(rest)]
  defp escape(<<_, rest::binary>>), do: ["\uFFFD" | escape(rest)]
  defp escape(<<>>), do: []
end
