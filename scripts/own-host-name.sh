#!/usr/bin/env bash
# Deploys a real release on hosts whose own name is not in DNS, resolves to ::1 only, to 127.0.1.1, is a
# second name of localhost, and so on: each a mount, a network and a host name of its own, with its own
# /etc/hosts. On each, the commands and the calls of docs/commands.md have to work under the name that
# `erl -sname` takes there.
#
#   scripts/own-host-name.sh DEPLOYEX PACKAGES [HOST…]    HOST is one of the names at the end
#
# PACKAGES is what scripts/build-example.sh has made. Root starts it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ ${1-} == --inside ]]; then
    # ── In the namespaces ───────────────────────────────────────────────────────────────────────
    app=counter
    fail() {
        printf 'own-host-name: %s: %s\n' "$HOST_LABEL" "$*" >&2
        cat "$HOME/deployex.log" >&2
        exit 1
    }
    wait_until() { # SECONDS WHAT COMMAND…
        local deadline=$((SECONDS + $1)) what=$2
        shift 2
        until "$@" >"$HOME/out" 2>&1; do
            if ((SECONDS > deadline)); then
                cat "$HOME/out" >&2
                fail "$what: it did not come"
            fi
            sleep 0.1
        done
    }
    deployex() { "$HOST_DEPLOYEX" "$@" </dev/null; }
    # What a BEAM of this host prints, as its users start it.
    beam() { # CODE
        # shellcheck disable=SC2086
        erl -noinput -sname beam -setcookie cookie ${BEAM_OPTIONS-} -eval "$1, halt()." </dev/null
    }

    host=$(beam 'io:format("~s", [lists:nth(2, string:split(atom_to_list(node()), "@"))])')
    [[ $host == "$HOST_NAME" ]] || fail "OTP calls this host $host, not $HOST_NAME"
    # The EPMD that erl has started is OTP's: deployex is to start its own where it must answer.
    if [[ ${HOST_EPMD-deployex} == deployex ]]; then
        epmd -kill >/dev/null
    fi

    if [[ ${HOST_TLS-} == yes ]]; then
        mkdir "$HOME/tls"
        CERT_FOLDER="$HOME/tls" OUTPUT_FOLDER="$HOME/tls/copies" "$root/scripts/make-certs.sh" >/dev/null
        cat >"$HOME/tls/inet_tls.conf" <<CONF
[{server, [{certfile, "$HOME/tls/deployex.crt"}, {keyfile, "$HOME/tls/deployex.key"},
           {cacertfile, "$HOME/tls/ca.crt"}, {verify, verify_peer}, {fail_if_no_peer_cert, true}]},
 {client, [{certfile, "$HOME/tls/deployex.crt"}, {keyfile, "$HOME/tls/deployex.key"},
           {cacertfile, "$HOME/tls/ca.crt"}, {verify, verify_peer}]}].
CONF
        chmod 600 "$HOME/tls/inet_tls.conf"
        BEAM_OPTIONS="-proto_dist inet_tls -ssl_dist_optfile $HOME/tls/inet_tls.conf"
        export ELIXIR_ERL_OPTIONS="$BEAM_OPTIONS -setcookie cookie"
        export COUNTER_TLS_OPTIONS="$HOME/tls/inet_tls.conf"
    fi

    export DEPLOYEX_ERLANG_COOKIE=cookie DEPLOYEX_MONITORED_REPLICAS=1
    export DEPLOYEX_MONITORED_APP_NAME=$app DEPLOYEX_POLL_INTERVAL=0.5
    "$HOST_DEPLOYEX" --sname deployex </dev/null >"$HOME/deployex.log" 2>&1 &
    server=$!
    trap 'kill "$server" 2>/dev/null || true' EXIT
    mkdir -p "/tmp/$app/dist/$app" "/tmp/$app/versions/$app/local"
    wait_until 20 "deployex" deployex ping deployex
    cp "$HOST_PACKAGES/$app-0.1.1.tar.gz" "/tmp/$app/dist/$app"
    echo '{"version":"0.1.1","hash":"local"}' >"/tmp/$app/versions/$app/local/current.json"
    running() { # the instance is ready
        deployex status --json | jq -e \
            '.apps[0].instances[0] | .status == "running" and .otp == "connected" and .version == "0.1.1"'
    }
    wait_until 60 "the instance" running

    # The commands: by deployex's own name and by the instance's.
    [[ $(deployex status --json | jq -r '.node, .apps[0].instances[0].node') == "deployex@$host
$app-1@$host" ]] || fail "other names: $(deployex status --json)"
    deployex ping "$app-1" >/dev/null || fail "ping of $app-1"
    deployex ping "deployex@$host" >/dev/null || fail "ping of deployex@$host"
    deployex probe "$app-1@$host" --app "$app" >/dev/null || fail "probe of $app-1@$host"
    [[ $(deployex rpc "$app-1@$host" erlang node) == *"$app-1@$host"* ]] || fail "rpc of $app-1@$host"
    deployex restart 1 >/dev/null || fail "restart"
    wait_until 60 "the restarted instance" running

    # From a BEAM, as docs/commands.md has it; and the release's own script.
    if [[ ${HOST_BEAM-yes} == yes ]]; then
        answer=$(beam "io:format(\"~0p\", [rpc:call('deployex@$host', deployex, restart, [1])])")
        [[ $answer == '{ok,<<"instance 1 is being restarted">>}' ]] || fail "a BEAM's call: $answer"
        wait_until 60 "the instance that a BEAM restarted" running
        answer=$(RELEASE_NODE_SUFFIX=-1 RELEASE_COOKIE=cookie \
            "/tmp/deployex/varlib/service/$app/1/current/bin/$app" rpc 'IO.puts(node())' </dev/null)
        [[ $answer == "$app-1@$host" ]] || fail "the release's own call: $answer"
    fi
    deployex stop --all >/dev/null || fail "stop --all"
    wait "$server" || fail "deployex ended with $?"
    trap - EXIT
    exit 0
fi

deployex=$(realpath "${1:?usage: own-host-name.sh DEPLOYEX PACKAGES [HOST…]}")
packages=$(realpath "${2:?usage: own-host-name.sh DEPLOYEX PACKAGES [HOST…]}")
shift 2
chosen=" $* "
if ((EUID != 0)); then
    echo "skipped: own-host-name: it makes namespaces, which takes root"
    exit 0
fi

# Runs the above on a host of that label, whose hosts(5) is read from the standard input.
on_host() { # LABEL MACHINE NAME [VARIABLE=VALUE…]: NAME is what OTP calls it
    local label=$1 machine=$2 name=$3 hosts begin=$SECONDS
    shift 3
    hosts=$(cat)
    [[ $chosen == "  " || $chosen == *" $label "* ]] || return 0
    printf 'own-host-name: %s … ' "$label"
    OWN_MACHINE=$machine OWN_HOSTS=$hosts OWN_DEPLOYEX=$deployex OWN_PACKAGES=$packages OWN_ROOT=$root \
        unshare --mount --net --uts --pid --fork --kill-child --mount-proc \
        bash -euo pipefail -s -- "HOST_LABEL=$label" "HOST_NAME=$name" "$@" <<'INSIDE'
# The loopback interface of a new network is down. 10.9.8.7 is an address of this host besides.
python3 - <<'PYTHON'
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    up = struct.pack('16sH14x', b'lo', 1 | 64)  # IFF_UP | IFF_RUNNING
    fcntl.ioctl(s, 0x8914, up)  # SIOCSIFFLAGS
    address = struct.pack('16sHH4s8x', b'lo:1', socket.AF_INET, 0, socket.inet_aton('10.9.8.7'))
    fcntl.ioctl(s, 0x8916, address)  # SIOCSIFADDR
PYTHON
hostname "$OWN_MACHINE"
# What is used stays reachable when /tmp is another one.
stash=$(mktemp -d /var/tmp/own-host-name.XXXXXX)
trap 'umount -l "$stash"/root "$stash"/packages; rm -rf "$stash"' EXIT
mkdir "$stash/root" "$stash/packages" "$stash/bin" "$stash/home" "$stash/etc"
chmod 755 "$stash" "$stash/bin"
mount --bind "$OWN_ROOT" "$stash/root"
mount --bind "$OWN_PACKAGES" "$stash/packages"
cp "$OWN_DEPLOYEX" "$stash/bin/deployex"
printf '%s\n' "$OWN_HOSTS" >"$stash/etc/hosts"
# A server of names that does not exist.
printf 'nameserver 127.0.0.1\n' >"$stash/etc/resolv.conf"
for file in hosts resolv.conf; do mount --bind "$stash/etc/$file" "/etc/$file"; done
mount -t tmpfs -o mode=1777 none /tmp
env -i PATH="$PATH" LANG=C.UTF-8 HOME="$stash/home" HOST_DEPLOYEX="$stash/bin/deployex" \
    HOST_PACKAGES="$stash/packages" ${LD_LIBRARY_PATH:+LD_LIBRARY_PATH="$LD_LIBRARY_PATH"} "$@" \
    bash "$stash/root/scripts/own-host-name.sh" --inside
INSIDE
    printf 'done in %s s\n' $((SECONDS - begin))
}

# ── The hosts ───────────────────────────────────────────────────────────────────────────────────

on_host no-name server server <<<'127.0.0.1 localhost
::1 localhost'
on_host no-file server server HOST_EPMD=otp <<<''
on_host ipv6-only server server <<<'127.0.0.1 localhost
::1 server'
on_host debian server server HOST_TLS=yes <<<'127.0.0.1 localhost
127.0.1.1 server.example.com server
::1 localhost ip6-localhost ip6-loopback'
on_host debian-interface server server DEPLOYEX_DIST_INTERFACE=127.0.0.1 ERL_EPMD_ADDRESS=127.0.0.1 \
    <<<'127.0.0.1 localhost
127.0.1.1 server'
on_host localhost server localhost <<<'127.0.0.1 localhost server
::1 localhost server'
on_host localhost-of-ipv6 server localhost HOST_TLS=yes <<<'::1 localhost server'
on_host other-name server other HOST_TLS=yes <<<'127.0.0.1 localhost
127.0.1.1 other.example.com server'
# Its nodes, deployex's included, listen on the address of the interface alone.
on_host interface server server DEPLOYEX_DIST_INTERFACE=10.9.8.7 \
    ERL_ZFLAGS='-kernel inet_dist_use_interface {10,9,8,7}' <<<'127.0.0.1 localhost
10.9.8.7 server'
