#!/usr/bin/env bash
# Builds what deployex-bench measures against into the folder given: the C program that uses libei, and
# the module that the BEAM runs. Also makes the certificates there with which all sides speak TLS.
#
#     scripts/build-bench-peers.sh .build/bench
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    printf 'build-bench-peers: %s\n' "$@" >&2
    exit 1
}

(($# == 1)) || fail "usage: scripts/build-bench-peers.sh FOLDER"
folder=$1

for tool in erl erlc epmd cc; do
    command -v "$tool" >/dev/null || fail "there is no $tool on the PATH: \`make setup\` installs it."
done

# Debian's erlang-dev also links libei to where cc looks; an Erlang of one's own keeps it here.
libei=$(erl -noshell -eval 'case code:lib_dir(erl_interface) of
    {error, _} -> ok;
    Dir -> io:put_chars(Dir)
end, halt().')
flags=()
[[ -z $libei ]] || flags=(-I"$libei/include" -L"$libei/lib")
printf '#include <ei.h>\nint main(void) { return ei_init(); }\n' \
    | cc -x c - -pthread "${flags[@]}" -lei -o /dev/null 2>/dev/null \
    || fail "libei (ei.h, libei.a) is missing: \`make setup\` installs Debian's erlang-dev;" \
        "an Erlang built from source has it unless erl_interface was left out."

mkdir -p "$folder"
erlc -Werror -o "$folder" bench/deployex_bench_peer.erl
cc -std=c11 -D_DEFAULT_SOURCE -O2 -Wall -Wextra -Werror -pthread "${flags[@]}" \
    bench/libei_peer.c -lei -o "$folder/libei-peer"

absolute=$(cd "$folder" && pwd)
CERT_FOLDER=$absolute/certs OUTPUT_FOLDER=$absolute/certs CERT_NAMES=127.0.0.1 \
    scripts/make-certs.sh >"$folder/certs.log" || fail "$(<"$folder/certs.log")"
# Full handshakes and the same cipher on all sides: what is measured is not what they would agree on.
side="{certfile, \"$absolute/certs/deployex.crt\"}, {keyfile, \"$absolute/certs/deployex.key\"},
  {cacertfile, \"$absolute/certs/ca.crt\"}, {verify, verify_peer}, {versions, ['tlsv1.3']},
  {ciphers, [\"TLS_AES_128_GCM_SHA256\"]}"
printf '[{server, [%s, {fail_if_no_peer_cert, true}]},\n {client, [%s]}].\n' "$side" "$side" \
    >"$folder/inet_tls.conf"
