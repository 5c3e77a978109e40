#!/usr/bin/env bash
# The walk-throughs that people know, plain and with mutual TLS, command by command as they are printed:
# in /tmp, with the default folders and EPMD's own port, as root and as an ordinary user, with the two
# umasks that distributions set. Each has a /tmp, a network and a user database of its own; root starts it.
#
#   scripts/walk-through.sh DEPLOYEX PACKAGES
#
# PACKAGES is what scripts/build-example.sh has made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ ${1-} == --inside ]]; then
    # ── As the user, in the namespaces ──────────────────────────────────────────────────────────
    umask "$WALK_UMASK"
    cd "$HOME"
    app=counter
    wait_until() { # SECONDS WHAT COMMAND…
        local deadline=$((SECONDS + $1)) what=$2
        shift 2
        until "$@" >/dev/null 2>&1; do
            if ((SECONDS > deadline)); then
                printf 'walk-through: %s: it did not come:\n' "$what" >&2
                "$@" >&2 || true
                cat "$HOME/deployex.log" >&2
                exit 1
            fi
            sleep 0.1
        done
    }
    if [[ $WALK_TLS == yes ]]; then
        mkdir deployex && cd deployex
        cp -r "$root/Makefile" "$root/scripts" "$root/certs" .
        make tls-distribution-certs >/dev/null
        cp ca.crt /tmp
        cp deployex.crt /tmp
        cp deployex.key /tmp
        export DEPLOYEX_OTP_TLS_CERT_PATH=/tmp
        test -f /tmp/inet_tls.conf || (
            umask 277
            cd /tmp
            cat >inet_tls.conf <<CONF
[
  {server, [
    {certfile, "${DEPLOYEX_OTP_TLS_CERT_PATH}/deployex.crt"},
    {keyfile, "${DEPLOYEX_OTP_TLS_CERT_PATH}/deployex.key"},
    {cacertfile, "${DEPLOYEX_OTP_TLS_CERT_PATH}/ca.crt"},
    {verify, verify_peer},
    {secure_renegotiate, true}
  ]},
  {client, [
    {certfile, "${DEPLOYEX_OTP_TLS_CERT_PATH}/deployex.crt"},
    {keyfile, "${DEPLOYEX_OTP_TLS_CERT_PATH}/deployex.key"},
    {cacertfile, "${DEPLOYEX_OTP_TLS_CERT_PATH}/ca.crt"},
    {verify, verify_peer},
    {secure_renegotiate, true},
    {server_name_indication, disable}
  ]}
].
CONF
        )
        export ELIXIR_ERL_OPTIONS="-proto_dist inet_tls -ssl_dist_optfile /tmp/inet_tls.conf"
        # Where the printed recipe edits the application's own env.sh.eex.
        export COUNTER_TLS_OPTIONS=/tmp/inet_tls.conf
    fi

    export monitored_app_name=$app DEPLOYEX_MONITORED_APP_NAME=$app
    mkdir -p /tmp/${monitored_app_name}/dist/${monitored_app_name}
    mkdir -p /tmp/${monitored_app_name}/versions/${monitored_app_name}/local/
    "$WALK_DEPLOYEX" --sname deployex >"$HOME/deployex.log" 2>&1 &
    server=$!
    trap '"$WALK_DEPLOYEX" stop --all >/dev/null 2>&1 || kill "$server" 2>/dev/null' EXIT
    wait_until 20 "deployex that waits" grep -q 'No version is published yet' "$HOME/deployex.log"

    running() { # VERSION: all three instances run it
        "$WALK_DEPLOYEX" status --json | jq -e --arg version "$1" \
            '[.apps[0].instances[] | select(.status == "running" and .otp == "connected" and .version == $version)] | length == 3'
    }
    for version in 0.1.1 0.1.2; do
        cp "$WALK_PACKAGES/$app-$version.tar.gz" /tmp/$app/dist/$app
        echo "{\"version\":\"$version\",\"hash\":\"local\"}" | jq . >/tmp/$app/versions/$app/local/current.json
        wait_until 60 "version $version at three instances" running "$version"
        curl -fsS -X POST http://127.0.0.1:4000/increment >/dev/null
    done
    grep -q "# Starting /tmp/deployex/varlib/service/$app/1/current/bin/$app" "$HOME/deployex.log"
    test -s "/tmp/$app/$app/$app-1-stdout.log" -o -e "/tmp/$app/$app/$app-1-stderr.log"
    # Nobody has given a cookie, and the commands of another shell need no switches.
    RELEASE_NODE_SUFFIX=-1 RELEASE_COOKIE=$(jq -r .cookie /tmp/deployex/varlib/node.json) \
        "/tmp/deployex/varlib/service/$app/1/current/bin/$app" rpc 'IO.puts(node())' | grep -q "^$app-1@"
    env -u ELIXIR_ERL_OPTIONS -u DEPLOYEX_OTP_TLS_CERT_PATH "$WALK_DEPLOYEX" stop --all >/dev/null
    wait "$server"
    # deployex had started the EPMD.
    wait_until 5 "EPMD's end" bash -c '! "$0" names' "$WALK_DEPLOYEX"
    trap - EXIT
    exit 0
fi

deployex=$(realpath "${1:?usage: walk-through.sh DEPLOYEX PACKAGES}")
packages=$(realpath "${2:?usage: walk-through.sh DEPLOYEX PACKAGES}")
if ((EUID != 0)); then
    echo "skipped: walk-through: it makes namespaces, which takes root"
    exit 0
fi

walk() { # USER UMASK TLS
    printf 'walk-through: %s, umask %s, mutual TLS: %s … ' "$1" "$2" "$3"
    local begin=$SECONDS
    WALK_USER=$1 WALK_UMASK=$2 WALK_TLS=$3 WALK_DEPLOYEX=$deployex WALK_PACKAGES=$packages WALK_ROOT=$root \
        unshare --mount --net --pid --fork --kill-child --mount-proc bash -euo pipefail <<'INSIDE'
# The loopback interface of a new network is down.
python3 - <<'PYTHON'
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    request = struct.pack('16sH14x', b'lo', 1 | 64)  # IFF_UP | IFF_RUNNING
    fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS
PYTHON
# What is used stays reachable when /tmp is another one.
stash=$(mktemp -d /var/tmp/walk-through.XXXXXX)
trap 'umount -l "$stash"/root "$stash"/packages; rm -rf "$stash"' EXIT
mkdir "$stash/root" "$stash/packages" "$stash/bin" "$stash/home"
chmod 755 "$stash" "$stash/bin"
mount --bind "$WALK_ROOT" "$stash/root"
mount --bind "$WALK_PACKAGES" "$stash/packages"
cp "$WALK_DEPLOYEX" "$stash/bin/deployex"
if [[ $WALK_USER == walker ]]; then
    for file in passwd group; do cp "/etc/$file" "$stash/$file"; chmod 644 "$stash/$file"; done
    printf 'walker:x:54321:54321::%s:/bin/bash\n' "$stash/home" >>"$stash/passwd"
    printf 'walker:x:54321:\n' >>"$stash/group"
    mount --bind "$stash/passwd" /etc/passwd
    mount --bind "$stash/group" /etc/group
    chown 54321:54321 "$stash/home"
fi
mount -t tmpfs -o mode=1777 none /tmp
as=()
[[ $WALK_USER == root ]] || as=(setpriv --reuid=54321 --regid=54321 --clear-groups)
env -i PATH="$PATH" LANG=C.UTF-8 HOME="$stash/home" USER="$WALK_USER" WALK_UMASK="$WALK_UMASK" \
    WALK_TLS="$WALK_TLS" WALK_DEPLOYEX="$stash/bin/deployex" WALK_PACKAGES="$stash/packages" \
    ${LD_LIBRARY_PATH:+LD_LIBRARY_PATH="$LD_LIBRARY_PATH"} \
    "${as[@]}" bash "$stash/root/scripts/walk-through.sh" --inside
INSIDE
    printf 'done in %s s\n' $((SECONDS - begin))
}

walk root 022 no
walk root 022 yes
walk walker 002 no
walk walker 022 yes
walk walker 002 yes
