#!/usr/bin/env bash
# The Debian package and the installer on the systems that they are for: in a root folder of each, with
# its own systemd, which boots in namespaces of its own. Root starts it.
#
#   scripts/systems.sh PACKAGES_FOLDER EXAMPLE_PACKAGES [SUITE…]
#
# PACKAGES_FOLDER has what scripts/package.sh has made, EXAMPLE_PACKAGES what scripts/build-example.sh has.
# SUITE is one of bookworm, trixie, jammy, noble (default: all four). A root folder that is missing is made
# with debootstrap, below DEPLOYEX_SYSTEM_ROOTS (default: .systems).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ ${1-} == --inside ]]; then
    # ── In the system that has booted ───────────────────────────────────────────────────────────
    keep=/mnt/keep
    trial=$(<$keep/trial)
    export HOME=/root DEBIAN_FRONTEND=noninteractive
    fail() {
        printf 'systems: %s: %s\n' "$trial" "$1"
        systemctl status --no-pager --lines 20 deployex deployex-applications || true
        tail -n 30 /var/log/deployex/*.log /var/log/counter/*.log || true
        echo failed >$keep/outcome
        systemctl --no-block --force --force poweroff
        exit 1
    }
    step() { printf '%s\n' "  $1"; }
    wait_until() { # SECONDS WHAT COMMAND…
        local deadline=$((SECONDS + $1)) what=$2
        shift 2
        until "$@" >/dev/null 2>&1; do
            ((SECONDS <= deadline)) || fail "$what: it did not come"
            sleep 0.1
        done
    }
    running() { # VERSION: all three instances run it
        deployex status --json | jq -e --arg version "$1" \
            '[.apps[0].instances[] | select(.status == "running" and .version == $version)] | length == 3'
    }
    pids() { deployex status --json | jq -c '[.apps[0].instances[].os_pid]'; }
    main_pid() { systemctl show --property MainPID --value deployex; }
    nothing_runs() { ! pgrep -u deployex; }
    publish() {
        mkdir -p /srv/deployex/dist/counter /srv/deployex/versions/counter/prod
        cp "$keep/counter-0.1.1.tar.gz" /srv/deployex/dist/counter/
        echo '{"version":"0.1.1","hash":"local"}' >/srv/deployex/versions/counter/prod/current.json
    }
    load() { # requests, one after the other, until the file is gone; the failed ones are counted
        : >/run/load
        (
            sent=0 lost=0
            while [[ -e /run/load ]]; do
                curl -fsS -o /dev/null --max-time 20 -X POST http://127.0.0.1:4000/increment || ((++lost))
                ((++sent))
            done
            echo "$sent $lost" >/run/load.result
        ) &
        load_pid=$!
    }
    end_load() {
        rm -f /run/load
        wait "$load_pid"
        read -r sent lost </run/load.result
        ((sent > 0 && lost == 0)) || fail "$lost of $sent requests were lost"
        step "no request of $sent was lost"
    }
    unchanged() { # PIDS WHAT
        wait_until 60 "the instances after $2" running 0.1.1
        [[ $(pids) == "$1" ]] || fail "$2 has restarted instances: $1, $(pids)"
    }
    shut_down() { # the next boot goes on with the step of this name
        # What local databases are to the applications: it stops after them.
        cat >/etc/systemd/system/postgresql.service <<'UNIT'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'pgrep beam.smp >/mnt/keep/alive; echo stopped >/mnt/keep/database; sync'
UNIT
        rm -f $keep/alive $keep/database
        systemctl daemon-reload
        systemctl start postgresql
        cp /var/log/deployex/deployex-stdout.log $keep/log-before
        echo "$1" >$keep/step
        step "the host shuts down"
        systemctl --no-block poweroff
        exit 0
    }
    after_shutdown() {
        [[ -e $keep/database && ! -s $keep/alive ]] ||
            fail "applications ran when the database stopped: $(cat $keep/alive)"
        # Each has ended by SIGTERM, in time.
        comm -13 <(sort $keep/log-before) <(sort /var/log/deployex/deployex-stdout.log) >$keep/log-after
        ! grep -i 'sigkill\|killed' $keep/log-after || fail "an instance was killed at the shutdown"
        step "the shutdown has stopped the instances in order"
        wait_until 90 "the instances of the next boot" running 0.1.1
        step "the next boot has started them again"
    }
    as_group_member() { # COMMAND…: what sudo -u deployex does
        runuser -u deployex -- "$@"
    }

    case $trial-$(<$keep/step) in
        deb-begin)
            dpkg -i $keep/deployex_*.deb >$keep/dpkg 2>&1 || { cat $keep/dpkg; fail "dpkg -i"; }
            systemd-analyze verify deployex.service deployex-applications.service \
                deployex-certificates.timer 2>$keep/verify || true
            ! grep -i deployex $keep/verify || fail "systemd-analyze verify"
            [[ $(systemctl show --property ActiveState --value deployex) == inactive ]] ||
                fail "it has started without a configuration"
            systemctl is-enabled deployex deployex-applications >/dev/null || fail "not enabled"
            [[ $(stat -c '%U %G %a' /etc/deployex) == 'root deployex 750' ]] || fail "/etc/deployex"
            man --warnings -E UTF-8 -l -Tutf8 -Z /usr/share/man/man8/deployex.8.gz 2>&1 >/dev/null |
                tee $keep/man
            [[ ! -s $keep/man ]] || fail "the man page"
            publish
            install -m 640 -g deployex /usr/share/doc/deployex/examples/deployex.env /etc/deployex/
            sed -i 's/=myapp$/=counter/' /etc/deployex/deployex.env
            mkdir -p /etc/systemd/system/deployex.service.d
            printf '[Service]\nLogsDirectory=counter\n' >/etc/systemd/system/deployex.service.d/logs.conf
            systemctl daemon-reload
            systemctl start deployex || fail "the start"
            [[ $(systemctl show --property ActiveState --value deployex) == active ]] || fail "not active"
            [[ $(systemctl show --property ActiveState --value deployex-applications) == active ]] ||
                fail "the applications' unit does not start with deployex"
            wait_until 90 "three instances" running 0.1.1
            step "installed, and three instances run ($(systemctl show --property StatusText --value deployex))"
            as_group_member deployex status >/dev/null || fail "the command of the service's user"
            [[ -s /var/log/deployex/deployex-stdout.log && -e /var/log/counter/counter-1-stdout.log ]] ||
                fail "the logs are not where they are expected"
            first=$(pids | tr -d '[]' | cut -d , -f 1)
            ! tr '\0' '\n' <"/proc/$first/environ" | grep -E '^(NOTIFY_SOCKET|WATCHDOG)' ||
                fail "an instance has the service manager's variables"
            grep -q '^NoNewPrivs:[[:space:]]0$' "/proc/$first/status" || fail "instances cannot use sudo"
            [[ $(</proc/$first/oom_score_adj) == 0 ]] ||
                fail "an instance has deployex's place among what the kernel kills last"
            systemctl reload deployex || fail "the reload"
            [[ $(systemctl show --property ActiveState --value deployex) == active ]] || fail "the reload"

            # The event loop hangs: systemd ends it and starts another.
            before=$(pids) pid=$(main_pid)
            mkdir -p /run/systemd/system/deployex.service.d
            printf '[Service]\nWatchdogSec=3\n' >/run/systemd/system/deployex.service.d/watchdog.conf
            systemctl daemon-reload
            systemctl restart deployex
            pid=$(main_pid)
            sleep 7
            [[ $(main_pid) == "$pid" ]] || fail "the watchdog has ended a healthy deployex"
            kill -STOP "$pid"
            replaced() { [[ $(main_pid) != "$pid" && $(main_pid) != 0 ]]; }
            wait_until 60 "another deployex for the one that hangs" replaced
            unchanged "$before" "the watchdog"
            rm /run/systemd/system/deployex.service.d/watchdog.conf
            systemctl daemon-reload
            step "the watchdog has replaced a deployex that hung"

            pid=$(main_pid)
            load
            dpkg -i $keep/deployex_*.deb >$keep/dpkg 2>&1 || { cat $keep/dpkg; fail "the update"; }
            [[ $(main_pid) != "$pid" ]] || fail "the update has not restarted deployex"
            unchanged "$before" "an update"
            end_load
            step "an update under load has restarted no instance"
            systemctl stop deployex
            sleep 1
            systemctl start deployex
            unchanged "$before" "a stop and a start of deployex"
            if command -v openssl >/dev/null; then
                deployex-certificates >/dev/null || fail "deployex-certificates"
                as_group_member openssl verify -CAfile /etc/deployex/certificates/ca.crt \
                    /etc/deployex/certificates/deployex.crt >/dev/null || fail "the certificates"
                [[ $(stat -c '%U %a' /etc/deployex/certificates/{deployex.key,authority/ca.key} | tr '\n' ' ') == \
                    'deployex 400 root 600 ' ]] || fail "the keys"
                systemctl start deployex-certificates || fail "the renewal"
            fi
            systemd-analyze security --no-pager deployex 2>/dev/null | tail -n 1 || true
            shut_down booted
            ;;
        deb-booted)
            after_shutdown
            cp /usr/share/doc/deployex/examples/hardening.conf /etc/systemd/system/deployex.service.d/
            systemctl daemon-reload
            systemctl restart deployex
            deployex restart 1 >/dev/null || fail "an instance with examples/hardening.conf"
            wait_until 60 "the instances with examples/hardening.conf" running 0.1.1
            first=$(pids | tr -d '[]' | cut -d , -f 1)
            grep -q '^NoNewPrivs:[[:space:]]1$' "/proc/$first/status" || fail "examples/hardening.conf"
            systemd-analyze security --no-pager deployex 2>/dev/null | tail -n 1 || true
            dpkg --purge deployex >$keep/dpkg 2>&1 || { cat $keep/dpkg; fail "the purge"; }
            wait_until 10 "the end of everything after the purge" nothing_runs
            for left in /usr/bin/deployex /etc/deployex /var/lib/deployex /var/log/deployex; do
                [[ ! -e $left ]] || fail "the purge has left $left"
            done
            [[ -e /srv/deployex/dist/counter/counter-0.1.1.tar.gz ]] || fail "the purge has taken the store"
            step "purged"
            ;;
        installer-begin)
            cat >/root/deployex.json <<'JSON'
{
    "app_name": "counter",
    "replicas": 3,
    "account_name": "prod", // the environment
    "deployex_hostname": "deployex.example.com",
    "release_adapter": "local",
    "version": "@VERSION@",
    "deploy_timeout_rollback_ms": 600000,
    "deploy_schedule_interval_ms": 5000,
    "env": {"COUNTER_TEXT": "a \"quoted\" $HOME \\ // text", "COUNTER_NUMBER": 7}
}
JSON
            tar -xzf $keep/deployex-*.tar.gz -C /root
            tree=$(echo /root/deployex-*-linux-*)
            version=${tree#*deployex-} version=${version%-linux-*}
            sed -i "s/@VERSION@/$version/" /root/deployex.json
            installer="$tree/deployex.sh"
            publish
            # Wrong in each way: refused, and nothing is left.
            refused() { # WHAT EXPECTED CONFIG ARGUMENTS…
                local text what=$1 expected=$2
                shift 2
                ! text=$("$installer" "$@" 2>&1) || fail "$what: it was accepted"
                [[ $text == *"$expected"* ]] || fail "$what: $text"
            }
            jq -n '{app_name: "counter", replica: 2}' >/root/wrong.json
            refused "an unknown key" "unknown: replica" --install /root/wrong.json
            jq -n '{app_name: "a b"}' >/root/wrong.json
            refused "a wrong name" "app_name" --install /root/wrong.json
            jq -n '{app_name: "counter", env: {A: [1]}}' >/root/wrong.json
            refused "a wrong variable" "env.A" --install /root/wrong.json
            refused "an update of nothing" "not installed" --update /root/deployex.json
            mkdir /root/bad
            cp $keep/deployex-*.tar.gz{,.sha256} /root/bad/
            echo x >>"$(echo /root/bad/*.tar.gz)"
            refused "a wrong checksum" "checksum" --install /root/deployex.json --dist /root/bad
            [[ ! -e /etc/systemd/system/deployex.service && ! -e /opt/deployex/bin ]] ||
                fail "a refused installation has left something"

            "$installer" --install /root/deployex.json --dist $keep >$keep/installer 2>&1 ||
                { cat $keep/installer; fail "the installation"; }
            [[ -x /opt/deployex/bin/deployex && $(command -v deployex) == /usr/local/bin/deployex ]] ||
                fail "the program is not where it is expected"
            wait_until 90 "three instances" running 0.1.1
            before=$(pids)
            first=$(tr -d '[]' <<<"$before" | cut -d , -f 1)
            tr '\0' '\n' <"/proc/$first/environ" |
                grep -qxF 'COUNTER_TEXT=a "quoted" $HOME \ // text' || fail "a variable of the application"
            tail -n 1 /var/log/deployex/deployex-stdout.log /var/log/counter/counter-1-stdout.log >/dev/null ||
                fail "the logs are not where they are expected"
            step "installed, and three instances run"
            "$installer" --install /root/deployex.json --dist $keep >$keep/installer 2>&1 ||
                { cat $keep/installer; fail "the second installation"; }
            unchanged "$before" "a second installation"
            jq '.replicas = 0' <(sed 's|//.*||; s|.*COUNTER_TEXT.*|"env": {}|' /root/deployex.json) \
                >/root/wrong.json
            cp /etc/deployex/deployex.env /root/env-before
            refused "settings that deployex refuses" "as before" --install /root/wrong.json --dist $keep
            cmp /root/env-before /etc/deployex/deployex.env || fail "the settings are not those of before"
            unchanged "$before" "settings that deployex refuses"

            # Another program of the same version.
            mkdir -p /root/next
            name=$(basename "$tree")
            cp -r "$tree" /root/next/
            printf 'next' >>"/root/next/$name/bin/deployex"
            tar -C /root/next -czf "/root/next/$name.tar.gz" "$name"
            (cd /root/next && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
            old=$(readlink -f /opt/deployex/current) pid=$(main_pid)
            load
            "$installer" --update /root/deployex.json --dist /root/next >$keep/installer 2>&1 ||
                { cat $keep/installer; fail "the update"; }
            [[ $(main_pid) != "$pid" && $(readlink -f /opt/deployex/current) != "$old" &&
                $(readlink -f /opt/deployex/previous) == "$old" ]] || fail "the update has changed nothing"
            unchanged "$before" "an update"
            end_load
            step "an update under load has restarted no instance"
            pid=$(main_pid)
            "$installer" --update /root/deployex.json --dist /root/next >/dev/null 2>&1
            [[ $(main_pid) == "$pid" ]] || fail "an update to the same has restarted deployex"

            # One that does not come up.
            current=$(readlink -f /opt/deployex/current)
            printf '#!/bin/sh\n[ "$1" = version ] || exit 1\necho "deployex %s"\n' "$version" \
                >"/root/next/$name/bin/deployex"
            tar -C /root/next -czf "/root/next/$name.tar.gz" "$name"
            (cd /root/next && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
            DEPLOYEX_INSTALL_TIMEOUT=20
            export DEPLOYEX_INSTALL_TIMEOUT
            refused "a program that does not come up" "as before" --update /root/deployex.json --dist /root/next
            [[ $(readlink -f /opt/deployex/current) == "$current" ]] || fail "it has not gone back"
            unchanged "$before" "a failed update"
            step "an update that does not come up has gone back"
            deployex-certificates >/dev/null || fail "deployex-certificates"
            as_group_member test -r /etc/deployex/certificates/deployex.key || fail "the key"
            man --warnings -w deployex-certificates >/dev/null || fail "the manual page"
            shut_down booted
            ;;
        installer-booted)
            after_shutdown
            installer=$(echo /root/deployex-*-linux-*/deployex.sh)
            "$installer" --uninstall >$keep/installer 2>&1 || { cat $keep/installer; fail "--uninstall"; }
            wait_until 10 "the end of everything" nothing_runs
            [[ ! -e /opt/deployex && ! -e /etc/systemd/system/deployex.service ]] || fail "something is left"
            [[ -e /var/lib/deployex/node.json && -e /etc/deployex/deployex.env ]] || fail "data is gone"
            "$installer" --install /root/deployex.json --dist $keep >$keep/installer 2>&1 ||
                { cat $keep/installer; fail "an installation after an uninstallation"; }
            wait_until 90 "the instances that were kept" running 0.1.1
            "$installer" --uninstall --purge >/dev/null || fail "--uninstall --purge"
            [[ ! -e /var/lib/deployex ]] || fail "the purge has left data"
            step "uninstalled"
            ;;
    esac
    echo passed >$keep/outcome
    systemctl --no-block --force --force poweroff
    exit 0
fi

if [[ ${1-} == --boot ]]; then
    # ── In the namespaces: the folders, and then systemd as process 1 ───────────────────────────
    python3 - <<'PYTHON'
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    request = struct.pack('16sH14x', b'lo', 1 | 64)  # IFF_UP | IFF_RUNNING
    fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS
PYTHON
    here=$SYSTEMS_WORK/root
    mount -t overlay -o "lowerdir=$SYSTEMS_ROOT,upperdir=$SYSTEMS_WORK/upper,workdir=$SYSTEMS_WORK/index" \
        overlay "$here"
    mount -t proc none "$here/proc"
    mount -t sysfs -o ro none "$here/sys"
    mount -t cgroup2 none "$here/sys/fs/cgroup"
    mount -t tmpfs -o mode=755 none "$here/dev"
    for device in null zero full random urandom tty; do
        touch "$here/dev/$device"
        mount --bind "/dev/$device" "$here/dev/$device"
    done
    mkdir "$here/dev/pts" "$here/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 none "$here/dev/pts"
    ln -s pts/ptmx "$here/dev/ptmx"
    ln -s /proc/self/fd "$here/dev/fd"
    mount -t tmpfs -o mode=1777 none "$here/dev/shm"
    mount -t tmpfs -o mode=755 none "$here/run"
    mount -t tmpfs -o mode=1777 none "$here/tmp"
    mkdir -p "$here/mnt/keep"
    mount --bind "$SYSTEMS_KEEP" "$here/mnt/keep"
    echo system >"$here/etc/hostname"
    hostname system
    printf '127.0.0.1 localhost\n127.0.1.1 system\n' >"$here/etc/hosts"
    # A few services of a host are enough, and the console is nobody's.
    for unit in systemd-udevd systemd-udev-trigger systemd-resolved systemd-networkd systemd-timesyncd \
        getty@tty1 console-getty systemd-journald systemd-journal-flush; do
        ln -sf /dev/null "$here/etc/systemd/system/$unit.service"
    done
    for unit in systemd-journald systemd-journald-dev-log systemd-journald-audit systemd-udevd-control \
        systemd-udevd-kernel; do
        ln -sf /dev/null "$here/etc/systemd/system/$unit.socket"
    done
    cat >"$here/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
DefaultDependencies=no
After=basic.target dbus.service
[Service]
ExecStart=/bin/bash /mnt/keep/systems.sh --inside
StandardOutput=append:/mnt/keep/out
StandardError=append:/mnt/keep/out
UNIT
    mkdir -p "$here/etc/systemd/system/multi-user.target.wants"
    ln -sf ../trial.service "$here/etc/systemd/system/multi-user.target.wants/trial.service"
    mkdir "$here/run/old"
    cd "$here"
    pivot_root . run/old
    export container=unshare
    exec chroot . /bin/sh -c 'umount -l /run/old; rmdir /run/old; exec /lib/systemd/systemd --system \
        --unit=multi-user.target --show-status=no --log-target=null' </dev/null
fi

made=$(realpath "${1:?usage: systems.sh PACKAGES_FOLDER EXAMPLE_PACKAGES [SUITE…]}")
examples=$(realpath "${2:?usage: systems.sh PACKAGES_FOLDER EXAMPLE_PACKAGES [SUITE…]}")
shift 2
(($#)) || set -- bookworm trixie jammy noble
((EUID == 0)) || {
    echo "skipped: systems: it makes namespaces, which takes root"
    exit 0
}
roots=${DEPLOYEX_SYSTEM_ROOTS:-$root/.systems}
mkdir -p "$roots"

make_root() { # SUITE
    local suite=$1 libssl=libssl3 mirror=http://deb.debian.org/debian options=()
    local script=/usr/share/debootstrap/scripts/sid
    case $suite in
        trixie) libssl=libssl3t64 ;;
        jammy | noble)
            [[ $suite == jammy ]] || libssl=libssl3t64
            mirror=http://archive.ubuntu.com/ubuntu
            script=/usr/share/debootstrap/scripts/gutsy
            options=(--components=main,universe "--keyring=$(ubuntu_keys)")
            ;;
    esac
    PATH=$PATH:/usr/sbin:/sbin
    command -v debootstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends debootstrap >/dev/null || return 1
    rm -rf --one-file-system "$roots/$suite.partial"
    debootstrap --variant=minbase "${options[@]}" \
        --include="systemd,systemd-sysv,dbus,$libssl,zlib1g,libstdc++6,libgcc-s1,jq,procps,adduser,curl,openssl,man-db" \
        "$suite" "$roots/$suite.partial" "$mirror" "$script" >"$roots/$suite.log" 2>&1 || return 1
    mv "$roots/$suite.partial" "$roots/$suite"
}
ubuntu_keys() { # Debian has no package of them
    if [[ ! -e $roots/ubuntu-keys.gpg ]]; then
        local deb=ubuntu-keyring_2023.11.28.1_all.deb
        curl -fsS -o "$roots/$deb" "http://archive.ubuntu.com/ubuntu/pool/main/u/ubuntu-keyring/$deb"
        echo "36de43b15853ccae0028e9a767613770c704833f82586f28eb262f0311adb8a8  $roots/$deb" | sha256sum -c --quiet
        dpkg-deb --fsys-tarfile "$roots/$deb" |
            tar -xO ./usr/share/keyrings/ubuntu-archive-keyring.gpg >"$roots/ubuntu-keys.gpg"
    fi
    echo "$roots/ubuntu-keys.gpg"
}

work=$(mktemp -d /tmp/systems.XXXXXX)
mkdir "$work/cgroup" "$work/root"
mount -t cgroup2 none "$work/cgroup"
clean() {
    for group in "$work"/cgroup/"$(basename "$work")"*; do
        for _ in {1..50}; do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [[ -d $group ]] || break
            sleep 0.1
        done
    done
    umount "$work/cgroup"
    rm -rf --one-file-system "$work"
}
trap clean EXIT

boot() { # NUMBER
    local group=$work/cgroup/$(basename "$work").$1
    mkdir -p "$group"
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        SYSTEMS_WORK=$work SYSTEMS_ROOT=$base SYSTEMS_KEEP=$work/keep exec timeout 400 unshare --mount \
            --pid --fork --kill-child --mount-proc --uts --ipc --net --cgroup --propagation private \
            bash "$root/scripts/systems.sh" --boot
    ) || true
}

count=0
for suite in "$@"; do
    base=$roots/$suite
    [[ -d $base ]] || make_root "$suite" || {
        tail -n 5 "$roots/$suite.log" >&2
        echo "skipped: systems: $suite could not be made"
        continue
    }
    for trial in deb installer; do
        begin=$SECONDS
        printf 'systems: %s: %s\n' "$suite" "$trial"
        rm -rf "$work"/{upper,index,keep}
        mkdir "$work"/{upper,index,keep}
        cp "$root/scripts/systems.sh" "$examples/counter-0.1.1.tar.gz" "$work/keep/"
        cp "$made"/deployex_*.deb "$made"/deployex-*.tar.gz{,.sha256} "$work/keep/"
        echo "$trial" >"$work/keep/trial"
        for step in begin booted; do
            rm -f "$work/keep/outcome"
            [[ $step == booted ]] || echo begin >"$work/keep/step"
            : >"$work/keep/out"
            boot $((++count))
            cat "$work/keep/out"
            [[ $(cat "$work/keep/outcome" 2>/dev/null) != failed ]] || exit 1
        done
        [[ $(cat "$work/keep/outcome" 2>/dev/null) == passed ]] || {
            echo "systems: $suite: $trial: it has not come to an end" >&2
            exit 1
        }
        printf 'systems: %s: %s: done in %s s\n' "$suite" "$trial" $((SECONDS - begin))
    done
done
