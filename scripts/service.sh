#!/usr/bin/env bash
# The units of packaging/systemd, installed as the README prints it: a systemd of its own starts them in
# namespaces of its own, with its own /etc, /var, /tmp and network; root starts it.
#
#   scripts/service.sh DEPLOYEX PACKAGES
#
# PACKAGES is what scripts/build-example.sh has made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

block() { # NUMBER: a block of code of the README's section about the service
    awk -v wanted="$1" '
        /^## / { section = $0 }
        section != "## Running it as a service" { next }
        /^```/ { if (!inside) count++; inside = !inside; next }
        inside && count == wanted' "$root/README.md"
}

if [[ ${1-} == --inside ]]; then
    # ── As a service of the systemd inside ──────────────────────────────────────────────────────
    keep=/mnt/keep root=/mnt/keep/root
    fail() {
        printf 'service: %s\n' "$1"
        systemctl status --no-pager deployex || true
        tail -n 40 /var/log/deployex/deployex/*.log || true
        exit 1
    }
    wait_until() { # SECONDS WHAT COMMAND…
        local deadline=$((SECONDS + $1)) what=$2
        shift 2
        until "$@" >/dev/null 2>&1; do
            ((SECONDS <= deadline)) || fail "$what: it did not come"
            sleep 0.1
        done
    }
    main_pid() { systemctl show --property MainPID --value deployex; }
    pids() { deployex status --json | jq -c '[.apps[0].instances[].os_pid]'; }
    running() { # VERSION: all three instances run it
        deployex status --json | jq -e --arg version "$1" \
            '[.apps[0].instances[] | select(.status == "running" and .version == $version)] | length == 3'
    }
    export HOME=/root
    mkdir -p "$keep/as-root/dist"
    cp "$keep/deployex" "$keep/as-root/dist/deployex"
    cp -r "$root/packaging" "$keep/as-root/"
    cd "$keep/as-root"
    bash -euo pipefail <(block 1) || fail "the preparation"
    block 2 >/etc/deployex/deployex.env
    systemd-analyze verify --man=no deployex.service deployex-applications.service || fail "systemd-analyze"
    bash -euo pipefail <(block 3 | grep -v '^deployex status') || fail "the start"
    wait_until 20 "an answer to root's command" deployex status
    [[ $(stat -c '%U %a' /var/lib/deployex /var/lib/deployex/node.json | tr '\n' ' ') == \
        'deployex 700 deployex 600 ' ]] || fail "the base folder is another's"
    runuser -u deployex -- deployex status >/dev/null || fail "the service user's command"
    text=$(runuser -u nobody -- deployex status 2>&1) && fail "nobody is let in"
    [[ $text == *'run `sudo -u deployex deployex …`'* ]] || fail "nobody is not told who may: $text"
    cp "$keep/packages/counter-0.1.1.tar.gz" /srv/deployex/dist/counter/
    echo '{"version":"0.1.1","hash":"local"}' >/srv/deployex/versions/counter/prod/current.json
    wait_until 60 "three instances" running 0.1.1
    # A host may forbid systemd to raise its own limit.
    limit() { awk '/^Max open files/ { print $5 }' "/proc/$1/limits"; }
    own=$(($(limit 1) < 1048576 ? $(limit 1) : 1048576))
    wanted=$((own < 65536 ? own : 65536))
    first=$(pids | tr -d '[]' | cut -d , -f 1)
    [[ "$(limit "$(main_pid)") $(limit "$first")" == "$own $wanted" ]] || fail "the limit of open files"
    before=$(pids)

    # A restart, and a failure after which systemd restarts it: the instances go on.
    systemctl restart deployex
    wait_until 20 "the instances after a restart" running 0.1.1
    [[ $(pids) == "$before" ]] || fail "a restart of deployex has ended instances"
    first=$(main_pid)
    kill -KILL "$first"
    restarted() { [[ $(main_pid) != "$first" && $(main_pid) != 0 ]]; }
    wait_until 20 "another deployex after a failure" restarted
    wait_until 20 "the instances after a failure" running 0.1.1
    [[ $(pids) == "$before" ]] || fail "a failure of deployex has ended instances"

    # Without deployex, root stops what it has left, as its user.
    systemctl stop deployex
    for pid in $(tr -d '[]' <<<"$before" | tr , ' '); do
        [[ -d /proc/$pid ]] || fail "the end of deployex has ended instances"
    done
    [[ $(deployex status 2>&1) == *"deployex is not running: start it with"* ]] || fail "not running"
    [[ $(deployex stop --all) == "deployex was not running; counter-1, counter-2, counter-3: stopped, "* ]] ||
        fail "stop --all without deployex"
    nothing_runs() { ! pgrep -u deployex; }
    wait_until 5 "the end of all that stop --all has ended ($(pgrep -a -u deployex | cut -c 1-60))" nothing_runs
    [[ -z $(find /var/lib/deployex ! -user deployex) ]] || fail "root has left files in the base folder"
    systemctl start deployex
    wait_until 60 "the instances of the next start" running 0.1.1

    # What a shutdown of the host does first: the applications end in order, and deployex with them.
    ended() { [[ $(systemctl show --property ActiveState --value deployex) == inactive ]]; }
    for _ in 1 2; do
        systemctl stop deployex-applications || fail "the end of the applications"
        ! pgrep beam.smp || fail "an application goes on after the end of its unit"
        wait_until 20 "the end of deployex after its applications" ended
        systemctl start deployex
        wait_until 60 "the instances of the next start" running 0.1.1
        # The second time while deployex itself does not run.
        systemctl stop deployex
    done
    systemctl start deployex-applications
    wait_until 60 "the instances of the applications' unit" running 0.1.1

    # It ends for good when it is told to, and when its configuration is wrong.
    deployex stop --all >/dev/null || fail "stop --all"
    wait_until 20 "the end after stop --all" ended
    sleep 4
    [[ $(systemctl show --property ActiveState,SubState --value deployex | tr '\n' ' ') == \
        'inactive dead ' ]] || fail "it does not stay stopped"
    nothing_runs >/dev/null || fail "something of it runs on"
    echo 'DEPLOYEX_MONITORED_REPLICAS=many' >>/etc/deployex/deployex.env
    ! systemctl start deployex 2>/dev/null || fail "a wrong configuration starts"
    failed() { systemctl is-failed deployex; }
    wait_until 20 "the failure" failed
    sleep 4
    [[ $(systemctl show --property NRestarts,ExecMainStatus --value deployex | tr '\n' ' ') == \
        '0 2 ' ]] || fail "a wrong configuration is tried again"
    echo passed
    exit 0
fi

if [[ ${1-} == --systemd ]]; then
    # ── In the namespaces: the folders, and then systemd as process 1 ───────────────────────────
    # The loopback interface of a new network is down.
    python3 - <<'PYTHON'
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    request = struct.pack('16sH14x', b'lo', 1 | 64)  # IFF_UP | IFF_RUNNING
    fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS
PYTHON
    work=$SERVICE_WORK
    mount -t tmpfs none "$work"
    mkdir -p "$work"/{keep/root/scripts,keep/packages}
    cp "$SERVICE_DEPLOYEX" "$work/keep/deployex"
    cp "$root/README.md" "$work/keep/root/"
    cp -r "$root/packaging" "$work/keep/root/"
    cp "$root/scripts/service.sh" "$work/keep/root/scripts/"
    cp "$SERVICE_PACKAGES"/counter-0.1.1.tar.gz "$work/keep/packages/"
    for folder in etc usr/bin srv var; do
        mkdir -p "$work/upper/$folder" "$work/work/$folder"
        mount -t overlay -o "lowerdir=/$folder,upperdir=$work/upper/$folder,workdir=$work/work/$folder" \
            overlay "/$folder"
    done
    mount -t tmpfs none /run
    mount -t tmpfs none /mnt
    mkdir /mnt/keep
    mount --bind "$work/keep" /mnt/keep
    mount -t tmpfs -o mode=1777 none /tmp
    umount -l /sys/fs/cgroup/* 2>/dev/null || true
    mount -t cgroup2 none /sys/fs/cgroup
    cat >/etc/systemd/system/trial.target <<'UNIT'
[Unit]
Wants=trial.service
UNIT
    cat >/etc/systemd/system/trial.service <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash /mnt/keep/root/scripts/service.sh --inside
ExecStopPost=/bin/systemctl --no-block exit 0
StandardOutput=file:/mnt/keep/out
StandardError=file:/mnt/keep/out
TimeoutStartSec=240
UNIT
    export container=unshare
    touch /mnt/keep/out
    tail -F /mnt/keep/out 2>/dev/null &
    exec "$SERVICE_SYSTEMD" --system --unit=trial.target --show-status=no --log-target=null
fi

deployex=$(realpath "${1:?usage: service.sh DEPLOYEX PACKAGES}")
packages=$(realpath "${2:?usage: service.sh DEPLOYEX PACKAGES}")
systemd=/usr/lib/systemd/systemd
[[ -x $systemd ]] || systemd=/lib/systemd/systemd
if ((EUID != 0)) || [[ ! -x $systemd ]]; then
    echo "skipped: service: it takes root and a systemd"
    exit 0
fi
work=$(mktemp -d /tmp/service.XXXXXX)
mkdir "$work/cgroup" "$work/inside"
mount -t cgroup2 none "$work/cgroup"
group=$work/cgroup/$(basename "$work")
mkdir "$group"
clean() {
    # What systemd leaves ends with its namespaces; its groups are removed from the leaves on.
    for _ in {1..50}; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [[ -d $group ]] || break
        sleep 0.1
    done
    umount "$work/cgroup"
    rmdir "$work/cgroup" "$work/inside"
    rm -f "$work/out"
    rmdir "$work"
}
trap clean EXIT
(
    echo "$BASHPID" >"$group/cgroup.procs"
    SERVICE_WORK=$work/inside SERVICE_DEPLOYEX=$deployex SERVICE_PACKAGES=$packages \
        SERVICE_SYSTEMD=$systemd exec timeout 300 unshare --mount --pid --fork --kill-child \
        --mount-proc --uts --ipc --net --cgroup --propagation private \
        bash "$root/scripts/service.sh" --systemd
) | tee "$work/out"
grep -qx passed "$work/out"
