%% What deployex-bench runs inside a BEAM: the terms that both sides hold, OTP's own codec timed, messages
%% sent and counted, and connecting.
-module(deployex_bench_peer).

-export([live_with_stdin/0, sample/1, codec/3]).
-export([start_sink/1, await_sink/0, flood/3, connect/1]).

%% The node ends with its stdin, so that it cannot outlive who started it.
live_with_stdin() ->
    spawn(fun() -> wait_for_end() end),
    ok.

wait_for_end() ->
    case io:get_line("") of
        eof -> halt(0);
        {error, _} -> halt(0);
        _ -> wait_for_end()
    end.

%% The external format of a sample, with UTF-8 atoms as between nodes.
sample(Name) ->
    encode(term(Name)).

%% Nanoseconds for Iterations encodings or decodings of a sample. A process of its own, with a heap
%% that holds several results, so that garbage collection costs what it must and no more.
codec(Operation, Name, Iterations) ->
    Caller = self(),
    {Pid, Monitor} = spawn_opt(
        fun() -> Caller ! {self(), time(Operation, Name, Iterations)} end,
        [monitor, {min_heap_size, 16 bsl 20}]
    ),
    receive
        {Pid, Nanoseconds} ->
            demonitor(Monitor, [flush]),
            Nanoseconds;
        {'DOWN', Monitor, process, Pid, Reason} ->
            exit(Reason)
    end.

time(encode, Name, Iterations) ->
    Term = prepared({?MODULE, term, Name}, fun() -> term(Name) end),
    timed(fun() -> encode_often(Term, Iterations) end);
time(decode, Name, Iterations) ->
    Bytes = prepared({?MODULE, bytes, Name}, fun() -> sample(Name) end),
    timed(fun() -> decode_often(Bytes, Iterations) end).

timed(Fun) ->
    {Microseconds, ok} = timer:tc(Fun),
    Microseconds * 1000.

%% Outside of the measuring process's heap, where it would be copied at every collection.
prepared(Key, Make) ->
    case persistent_term:get(Key, undefined) of
        undefined ->
            persistent_term:put(Key, Make()),
            persistent_term:get(Key);
        Value ->
            Value
    end.

encode_often(_, 0) ->
    ok;
encode_often(Term, Count) ->
    _ = encode(Term),
    encode_often(Term, Count - 1).

decode_often(_, 0) ->
    ok;
decode_often(Bytes, Count) ->
    _ = binary_to_term(Bytes),
    decode_often(Bytes, Count - 1).

encode(Term) ->
    term_to_binary(Term, [{minor_version, 2}]).

%% About 200 KB of what management calls answer: property lists and maps of atoms, binaries, integers
%% and pids, as process_info/1, application:which_applications/0 and a status map have them.
term(rpc_answer) ->
    [process(I) || I <- lists:seq(1, 520)];
%% 524,288 integers from 0 to 255, two bytes each: too many for the string form.
term(small_integers) ->
    [I band 255 || I <- lists:seq(1, 1 bsl 19)];
term(maps) ->
    [
        #{
            id => I,
            name => <<"user-", (integer_to_binary(I))/binary>>,
            active => I rem 3 =/= 0,
            score => I / 7
        }
     || I <- lists:seq(1, 10000)
    ];
term(binary) ->
    << <<(I band 255)>> || I <- lists:seq(1, 1 bsl 20) >>.

process(I) ->
    #{
        pid => self(),
        registered_name => element(1 + I rem 3, {undefined, logger_sup, kernel_refc}),
        current_function => {gen_server, loop, 7},
        status => waiting,
        message_queue_len => I rem 5,
        memory => 2600 + I * 8,
        reductions => I * 7919,
        links => [self() || _ <- lists:seq(1, I rem 3)],
        dictionary => [
            {'$initial_call', {supervisor, kernel, 1}},
            {'$ancestors', [application_controller, self()]}
        ],
        label => <<"worker ", (integer_to_binary(I))/binary, " of the pool">>,
        garbage_collection => [{min_heap_size, 233}, {fullsweep_after, 65535}, {minor_gcs, I rem 40}]
    }.

%% Messages one way. `bench_sink' is the receiver's name on every node, ours and libei's included.

%% Starts a receiver of Count messages.
start_sink(Count) ->
    Caller = self(),
    {Pid, Monitor} = spawn_monitor(fun() ->
        register(bench_sink, self()),
        Caller ! {self(), ready},
        sink(Count)
    end),
    receive
        {Pid, ready} -> demonitor(Monitor, [flush]);
        {'DOWN', Monitor, process, Pid, Reason} -> exit(Reason)
    end.

%% Returns when the receiver has all its messages.
await_sink() ->
    Monitor = monitor(process, bench_sink),
    bench_sink ! {finish, self()},
    receive
        finished ->
            %% The name is free once the receiver is gone.
            receive {'DOWN', Monitor, process, _, _} -> ok end;
        {'DOWN', Monitor, process, _, Reason} ->
            exit(Reason)
    end.

sink(0) ->
    receive {finish, Asker} -> Asker ! finished end;
sink(Count) ->
    receive {sample, _} -> ok end,
    sink(Count - 1).

%% Sends Count messages: numbers, or binaries of so many bytes.
flood(Node, Count, ByteCount) ->
    Sink = {bench_sink, Node},
    case ByteCount of
        0 -> flood_numbers(Sink, Count);
        _ -> flood_term(Sink, Count, {sample, binary:copy(<<7>>, ByteCount)})
    end.

flood_numbers(_, 0) ->
    ok;
flood_numbers(Sink, Count) ->
    Sink ! {sample, Count},
    flood_numbers(Sink, Count - 1).

flood_term(_, 0, _) ->
    ok;
flood_term(Sink, Count, Term) ->
    Sink ! Term,
    flood_term(Sink, Count - 1, Term).

%% Nanoseconds of a connection to Node, which is ended again.
connect(Node) ->
    Start = erlang:monotonic_time(nanosecond),
    true = net_kernel:connect_node(Node),
    Nanoseconds = erlang:monotonic_time(nanosecond) - Start,
    true = erlang:disconnect_node(Node),
    Nanoseconds.
