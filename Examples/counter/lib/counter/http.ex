defmodule Counter.HTTP do
  @moduledoc """
  A small HTTP/1.1 server on 127.0.0.1: one process accepts, one process serves each connection.

  Under a deployex that listens for it (`DEPLOYEX_LISTEN=http=127.0.0.1:4000`) it accepts from that
  socket instead, which stays open when this instance ends. See "Held sockets" in docs/held-sockets.md.

  Source: RFC 9112; the parsing is the runtime's own (`packet: :http_bin`). A body is read and thrown
  away, up to 64 KiB. A connection stays open for further requests until the client closes it, asks
  for that, or is silent for half a minute.

  When the application stops, it accepts no more, answers what has come with `Connection: close`, and
  ends when no connection is left, after five seconds at the latest.

  Both loops call themselves as `__MODULE__.accept` and `__MODULE__.serve`, never by the bare name: so
  they go over to new code when this module is replaced, and are not killed as users of the old.
  """

  require Logger

  @silence_milliseconds 30_000
  @drain_milliseconds 5_000
  # How often who waits looks whether the application stops.
  @look_milliseconds 50
  @draining {__MODULE__, :draining}
  @body_limit 64 * 1024
  @header_limit 100
  @phrases %{200 => "OK", 400 => "Bad Request", 404 => "Not Found", 413 => "Content Too Large"}

  def child_spec(options) do
    %{
      id: __MODULE__,
      start: {__MODULE__, :start_link, [options]},
      shutdown: @drain_milliseconds + 1_000
    }
  end

  @doc """
  Listens on `port:` before it returns, so that a port that is taken fails the start. With `fd:` it
  accepts from the socket that this process has inherited as that descriptor.
  """
  def start_link(options), do: :proc_lib.start_link(__MODULE__, :listen, [self(), options])

  @doc false
  def listen(parent, options) do
    # So that the supervisor's order to end does not come between an accepted connection and its process.
    Process.flag(:trap_exit, true)
    :persistent_term.put(@draining, false)
    {port, place} = place(options[:port], options[:fd])

    common = [
      :binary,
      packet: :http_bin,
      packet_size: 8192,
      active: false,
      nodelay: true,
      # Of an inherited socket too: the runtime listens on it again.
      backlog: 1024,
      send_timeout: @silence_milliseconds,
      send_timeout_close: true
    ]

    case :gen_tcp.listen(port, place ++ common) do
      {:ok, listener} ->
        version = Application.spec(:counter, :vsn)
        {:ok, {address, port}} = :inet.sockname(listener)
        Logger.info("counter #{version} listens on #{:inet.ntoa(address)}:#{port}")
        :proc_lib.init_ack(parent, {:ok, self()})
        accept(listener, parent)

      {:error, reason} ->
        exit({:listen, port, reason})
    end
  end

  # An inherited socket is bound already: a port or an address would bind it again, which fails.
  defp place(port, nil), do: {port, [ip: {127, 0, 0, 1}, reuseaddr: true]}
  defp place(_port, fd), do: {0, [fd: fd]}

  @doc false
  def accept(listener, parent) do
    case :gen_tcp.accept(listener, @look_milliseconds) do
      {:ok, socket} ->
        {:ok, pid} = Task.Supervisor.start_child(Counter.Connections, __MODULE__, :connected, [])
        # An error says that the client is gone already: the connection's process finds that out.
        _ = :gen_tcp.controlling_process(socket, pid)
        send(pid, {:socket, socket})

      {:error, reason} when reason in [:timeout, :econnaborted] ->
        :ok

      {:error, :emfile} ->
        # No descriptor is free: the client stays in the backlog until one is.
        Process.sleep(100)
    end

    receive do
      {:EXIT, ^parent, reason} -> drain(listener, reason)
      {:EXIT, _, _} -> __MODULE__.accept(listener, parent)
    after
      0 -> __MODULE__.accept(listener, parent)
    end
  end

  defp drain(listener, reason) do
    :gen_tcp.close(listener)
    :persistent_term.put(@draining, true)
    wait_for_connections(System.monotonic_time(:millisecond) + @drain_milliseconds)
    exit(reason)
  end

  defp wait_for_connections(deadline) do
    if Task.Supervisor.children(Counter.Connections) != [] and
         System.monotonic_time(:millisecond) < deadline do
      Process.sleep(10)
      wait_for_connections(deadline)
    end
  end

  defp draining?, do: :persistent_term.get(@draining, false)

  @doc false
  def connected do
    receive do
      {:socket, socket} -> serve(socket)
    end
  end

  @doc false
  def serve(socket) do
    with {:ok, method, path, headers} <- read_request(socket),
         :ok <- skip_body(socket, headers) do
      {status, members} = Counter.Pages.answer(method, path)
      connection = if draining?(), do: "close", else: headers.connection
      respond(socket, status, members, connection)
      if connection == "close", do: close(socket), else: __MODULE__.serve(socket)
    else
      {:refuse, status, reason} ->
        respond(socket, status, [error: reason], "close")
        close(socket)

      {:error, _closed_or_silent} ->
        close(socket)
    end
  end

  defp read_request(socket, silence \\ 0) do
    case :gen_tcp.recv(socket, 0, @look_milliseconds) do
      {:error, :timeout} when silence < @silence_milliseconds ->
        if draining?(),
          do: {:error, :closed},
          else: read_request(socket, silence + @look_milliseconds)

      {:ok, {:http_request, method, {:abs_path, path}, {1, minor}}} ->
        # Before HTTP/1.1 a connection was for one request.
        headers = %{length: "0", connection: if(minor == 0, do: "close", else: "keep-alive")}

        with {:ok, headers} <- read_headers(socket, headers, @header_limit),
             do: {:ok, to_string(method), path, headers}

      {:ok, _} ->
        {:refuse, 400, "not an HTTP/1 request"}

      {:error, reason} ->
        {:error, reason}
    end
  end

  defp read_headers(_socket, _headers, 0), do: {:refuse, 400, "too many headers"}

  defp read_headers(socket, headers, left) do
    case :gen_tcp.recv(socket, 0, @silence_milliseconds) do
      {:ok, :http_eoh} ->
        {:ok, headers}

      {:ok, {:http_header, _, :"Content-Length", _, value}} ->
        read_headers(socket, %{headers | length: value}, left - 1)

      {:ok, {:http_header, _, :Connection, _, value}} ->
        read_headers(socket, %{headers | connection: String.downcase(value)}, left - 1)

      {:ok, {:http_header, _, :"Transfer-Encoding", _, _}} ->
        {:refuse, 400, "a body needs a Content-Length"}

      {:ok, {:http_header, _, _, _, _}} ->
        read_headers(socket, headers, left - 1)

      {:ok, {:http_error, _}} ->
        {:refuse, 400, "not a header"}

      {:error, reason} ->
        {:error, reason}
    end
  end

  defp skip_body(socket, headers) do
    case Integer.parse(headers.length) do
      {0, ""} ->
        :ok

      {length, ""} when length in 1..@body_limit ->
        with :ok <- :inet.setopts(socket, packet: :raw),
             {:ok, _body} <- :gen_tcp.recv(socket, length, @silence_milliseconds),
             do: :inet.setopts(socket, packet: :http_bin)

      {length, ""} when length > @body_limit ->
        {:refuse, 413, "the body is too long"}

      _ ->
        {:refuse, 400, "not a Content-Length"}
    end
  end

  defp respond(socket, status, members, connection) do
    body = [Counter.JSON.object(members), ?\n]

    # A failed send needs no answer of its own: the next read finds the connection closed.
    :gen_tcp.send(socket, [
      "HTTP/1.1 #{status} #{@phrases[status]}\r\n",
      "Content-Type: application/json\r\n",
      "Content-Length: #{IO.iodata_length(body)}\r\n",
      "Connection: #{connection}\r\n\r\n",
      body
    ])
  end

  # What was sent still arrives: the client closes last, or is cut off after a second.
  defp close(socket) do
    with :ok <- :gen_tcp.shutdown(socket, :write),
         :ok <- :inet.setopts(socket, packet: :raw),
         do: :gen_tcp.recv(socket, 0, 1000)

    :gen_tcp.close(socket)
  end
end
