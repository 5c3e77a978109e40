#!/usr/bin/env bash
# Deployex at work, on a real release: first deployment, crash, full deployment, hot upgrade.
#
# Everything happens in a temporary folder and on free ports of 127.0.0.1, the port mapper's included;
# nothing else on this host is touched, and at the end nothing is left.
#
#   DEMO_EXIT=1        stop everything after the last step, instead of waiting for Ctrl-C
#   DEMO_DIR=FOLDER    work there (it must be empty or new) and keep it
#   DEMO_TIMEOUT=120   give up on a step after so many seconds
#   DEPLOYEX=PROGRAM   another deployex than .build/release/deployex
#
# shellcheck disable=SC2317 # Traps and await call functions in ways that shellcheck does not see.
set -euo pipefail

root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
deployex=${DEPLOYEX:-$root/.build/release/deployex}
packages=${DEPLOYEX_EXAMPLE_PACKAGES:-$root/.build/example-packages}
timeout_seconds=${DEMO_TIMEOUT:-120}
replicas=3
greeting="hello from the demo"

# ── Saying what happens ─────────────────────────────────────────────────────────────────────────

bold='' dim='' green='' red='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

# Milliseconds since 1970, without a process and in any locale.
now() {
    local microseconds=${EPOCHREALTIME//[.,]/}
    printf '%s' $((microseconds / 1000))
}

seconds_since() {
    local tenths=$((($(now) - $1 + 50) / 100))
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

step() {
    step_begin=$(now)
    log_line=$(($(wc -l <"$log") + 1))
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
    shift
    if (($#)); then printf '  %s\n' "$@"; fi
}

say() { printf '  %-9s %s\n' "$(seconds_since "$step_begin")" "$*"; }

look() { printf '  %slook at    %s%s\n' "$dim" "$*" "$plain"; }

# What deployex has logged since the step began.
step_log() {
    printf '  deployex says:\n'
    tail -n "+$log_line" "$log" | tail -n 24 | while IFS= read -r line; do
        printf '    %s%s%s\n' "$dim" "$line" "$plain"
    done
}

fail() {
    printf '\n%sfailed: %s%s\n' "$red" "$*" "$plain" >&2
    exit 1
}

# ── Stopping ────────────────────────────────────────────────────────────────────────────────────

deployex_pid='' epmd_pid='' folder='' log='' interrupted=''

# Ends a process that this script started: SIGTERM, so many seconds, SIGKILL.
end_process() {
    local pid=$1 deadline=$(($(now) + $2 * 1000))
    kill -TERM "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        if (($(now) > deadline)); then
            kill -KILL "$pid" 2>/dev/null || true
            return 1
        fi
        sleep 0.1
    done
}

# The processes that run a program out of the demo's folder: instances that deployex has left.
strays() {
    local link program
    for link in /proc/[0-9]*/exe; do
        program=$(readlink "$link" 2>/dev/null) || continue
        if [[ $program == "$folder"/* ]]; then
            link=${link#/proc/}
            printf '%s\n' "${link%/exe}"
        fi
    done
}

clean_up() {
    local status=$? pid begin
    trap '' INT TERM HUP
    trap - EXIT
    [[ -n $interrupted ]] && status=$interrupted
    if [[ $status -ne 0 && -z $interrupted && -s $log ]]; then
        printf '\nThe end of %s:\n' "$log" >&2
        tail -n 40 "$log" >&2
    fi
    if [[ -n $deployex_pid ]]; then
        begin=$(now)
        printf '\nStopping deployex and its instances …'
        # A signal would end deployex alone, and leave the instances running.
        "$deployex" stop --all --timeout 40 >/dev/null 2>&1 || true
        if end_process "$deployex_pid" 5; then
            printf ' %s\n' "$(seconds_since "$begin")"
        else
            printf ' it did not stop, and was killed\n'
        fi
    fi
    if [[ -n $folder ]]; then
        for pid in $(strays); do
            printf 'Ending process %s, which was left behind\n' "$pid"
            kill -KILL "$pid" 2>/dev/null || true
        done
    fi
    if [[ -n $epmd_pid ]]; then end_process "$epmd_pid" 5 || true; fi
    if [[ -n $folder && $status -ne 0 && -z $interrupted ]]; then
        printf 'Folders and logs stay in %s\n' "$folder" >&2
    elif [[ -n $folder && -z ${DEMO_DIR:-} ]]; then
        rm -rf "$folder"
    fi
    exit "$status"
}

trap clean_up EXIT
trap 'interrupted=${interrupted:-130}; exit' INT
trap 'interrupted=${interrupted:-143}; exit' TERM HUP

# ── Asking ──────────────────────────────────────────────────────────────────────────────────────

# Whether something listens on this port of 127.0.0.1.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Waits until a command succeeds: await "what is awaited" COMMAND…
await() {
    local what=$1 deadline=$(($(now) + timeout_seconds * 1000))
    shift
    until "$@"; do
        kill -0 "$deployex_pid" 2>/dev/null || fail "deployex has ended while waiting for $what"
        (($(now) < deadline)) || fail "$what: not within $timeout_seconds s"
        sleep 0.1
    done
}

answers() { "$deployex" status --json >/dev/null 2>&1; }

port_of() { printf '%s' $((first_port + $1 - 1)); }

# What instance I answers, as JSON: get I, or post I PATH.
get() { curl -sf --max-time 5 "http://127.0.0.1:$(port_of "$1")/"; }
post() { curl -sf --max-time 5 -X POST "http://127.0.0.1:$(port_of "$1")$2"; }

# One member of a flat JSON object.
member() {
    [[ $2 =~ \"$1\":\"?([^\",}]*) ]] && printf '%s' "${BASH_REMATCH[1]}"
}

# One member of what `deployex status --json` says of instance I, or "" while there is no answer.
status_of() {
    "$deployex" status --json 2>/dev/null |
        jq -r --argjson i "$1" --arg name "$2" \
            '.apps[] | select(.name == "counter") | .instances[] | select(.instance == $i) | .[$name]' || true
}

# Whether deployex says of every instance that it runs VERSION.
all_run() {
    "$deployex" status --json 2>/dev/null |
        jq -e --arg version "$1" --argjson replicas "$replicas" \
            '[.apps[] | select(.name == "counter") | .instances[]
              | select(.status == "running" and .version == $version and .otp == "connected")]
             | length == $replicas' >/dev/null
}

# ── Doing ───────────────────────────────────────────────────────────────────────────────────────

# Puts a package into the storage, then names it as the current version: each appears whole.
publish() {
    local version=$1 dist=$storage/dist/counter versions=$storage/versions/counter/local
    mkdir -p "$dist" "$versions"
    cp "$packages/counter-$version.tar.gz" "$dist/.incoming"
    mv "$dist/.incoming" "$dist/counter-$version.tar.gz"
    printf '{"version":"%s","hash":"local"}\n' "$version" >"$versions/.incoming"
    mv "$versions/.incoming" "$versions/current.json"
    say "published counter $version"
}

# Looks at every instance again and again until each answers VERSION. Sets most_away, the highest
# number of instances that did not answer at the same time.
watch_rollout() {
    local version=$1 deadline=$(($(now) + timeout_seconds * 1000)) left=$replicas i answer gone silence
    local -a seen=() arrived=() away_since=()
    most_away=0
    while ((left)); do
        gone=()
        for ((i = 1; i <= replicas; i++)); do
            if ! answer=$(get "$i"); then
                gone+=("$i")
                [[ -z ${seen[i]:-} ]] || away_since[i]=${away_since[i]:-$(now)}
                continue
            fi
            seen[i]=yes
            silence=${away_since[i]:+", was silent for $(seconds_since "${away_since[i]}")"}
            if [[ -z ${arrived[i]:-} && $(member version "$answer") == "$version" ]]; then
                arrived[i]=yes
                left=$((left - 1))
                say "instance $i answers $version   OS pid $(member os_pid "$answer"), counter $(member counter "$answer")$silence"
            fi
            away_since[i]=''
        done
        # One that comes back while the next one goes is not two at once: look again.
        if ((${#gone[@]} > most_away)); then
            local still=0
            for i in "${gone[@]}"; do get "$i" >/dev/null || still=$((still + 1)); done
            if ((still > most_away)); then most_away=$still; fi
        fi
        kill -0 "$deployex_pid" 2>/dev/null || fail "deployex has ended during the rollout of $version"
        (($(now) < deadline)) || fail "$left of $replicas instances do not answer $version after $timeout_seconds s"
        sleep 0.05
    done
    await "deployex status to agree" all_run "$version"
    say "deployex status agrees: $replicas running, version $version"
}

# Counts to 10, 20, 30: three processes, three states.
increment_all() {
    local i n
    for ((i = 1; i <= replicas; i++)); do
        for ((n = 0; n < i * 10; n++)); do post "$i" /increment >/dev/null || fail "instance $i does not count"; done
        say "instance $i counted to $(member counter "$(get "$i")")"
    done
}

# Remembers every instance's OS pid and counter.
remember() {
    local i answer
    for ((i = 1; i <= replicas; i++)); do
        answer=$(get "$i") || fail "instance $i does not answer"
        pids[i]=$(member os_pid "$answer")
        counters[i]=$(member counter "$answer")
    done
}

expect_kept() {
    local i=$1 answer
    answer=$(get "$i") || fail "instance $i does not answer"
    [[ $(member os_pid "$answer") == "${pids[i]}" ]] || fail "instance $i has another OS pid: $answer"
    [[ $(member counter "$answer") == "${counters[i]}" ]] || fail "instance $i has lost its counter ${counters[i]}: $answer"
}

is_back() {
    local answer
    answer=$(get "$1") && [[ $(member os_pid "$answer") != "${pids[$1]}" ]]
}

# ── The demo ────────────────────────────────────────────────────────────────────────────────────

for tool in curl jq erl; do
    command -v "$tool" >/dev/null || fail "$tool is not installed; \"make setup\" installs it"
done
[[ -x $deployex ]] || fail "there is no $deployex; \"make build\" builds it"

folder=${DEMO_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/deployex-demo.XXXXXX")}
mkdir -p "$folder"
folder=$(realpath "$folder")
if [[ -n $(ls -A "$folder") ]]; then
    occupied=$folder
    folder=''
    fail "$occupied is not empty"
fi
log=$folder/deployex.log
storage=$folder/storage
: >"$log"
declare -a pids counters

demo_begin=$(now)
first_port='' epmd_port='' http_port=''
for ((try = 0; try < 100; try++)); do
    first_port=$((20000 + RANDOM % 10000))
    epmd_port=$((first_port + replicas))
    http_port=$((epmd_port + 1))
    for ((port = first_port; port <= http_port; port++)); do
        if listens "$port"; then continue 2; fi
    done
    break
done

step "Building three packages of Examples/counter"
"$root/scripts/build-example.sh" "$packages" 0.1.0 0.1.1 0.1.2 | while IFS= read -r line; do say "$line"; done

# Nothing of the caller's environment reaches this deployex or its instances by mistake.
for name in "${!DEPLOYEX@}" "${!RELEASE_@}"; do unset "$name"; done
cat >"$folder/env" <<EOF
export ERL_EPMD_PORT=$epmd_port
export DEPLOYEX_PHX_PORT=$http_port
export DEPLOYEX_MONITORED_APP_NAME=counter
export DEPLOYEX_MONITORED_APP_PORT=$first_port
export DEPLOYEX_MONITORED_REPLICAS=$replicas
export DEPLOYEX_STORAGE_ADAPTER=local
export DEPLOYEX_STORAGE_PATH="$storage"
export DEPLOYEX_BASE_PATH="$folder/varlib"
export DEPLOYEX_LOG_PATH="$folder/log"
export GREETING="$greeting"
EOF
# shellcheck source=/dev/null
. "$folder/env"

step "Starting deployex: no version is published yet" \
    "folders   $folder/{storage,varlib,log}" \
    "ports     instances $first_port–$((first_port + replicas - 1)), port mapper (EPMD) $epmd_port, dashboard $http_port" \
    "log       $log"
# In sessions of their own: Ctrl-C reaches this script only, which then stops them in order.
setsid "$deployex" epmd >"$folder/epmd.log" 2>&1 </dev/null &
epmd_pid=$!
until listens "$epmd_port"; do
    kill -0 "$epmd_pid" 2>/dev/null || fail "deployex epmd does not run: $(tail -n 3 "$folder/epmd.log")"
    (($(now) < step_begin + 10000)) || fail "deployex epmd does not listen on port $epmd_port after 10 s"
    sleep 0.05
done
setsid "$deployex" start --sname deployex >>"$log" 2>&1 </dev/null &
deployex_pid=$!
await "an answer from deployex" answers
say "deployex answers   OS pid $deployex_pid"
await "the dashboard's address" grep -q 'Log in with ' "$log"
say "dashboard          $(sed -n 's/.*Log in with \(http[^ ]*\).*/\1/p' "$log")   (logs you in once, within ten minutes)"
step_log

step "1. First deployment: 0.1.0 on $replicas instances"
publish 0.1.0
watch_rollout 0.1.0
increment_all
step_log
look "curl http://127.0.0.1:$first_port/   and the instance's output in $folder/log/counter/"

step "2. Crash: kill -9 of instance 2" \
    "Expected: another OS pid, the counter at 0, and the other instances untouched."
remember
victim=$(status_of 2 os_pid)
[[ $victim == "${pids[2]}" ]] || fail "deployex says that instance 2 has OS pid ${victim:-?}, it says ${pids[2]} itself"
[[ $(readlink "/proc/$victim/exe") == "$folder"/* ]] || fail "process $victim is none of this demo's"
kill -KILL "$victim"
say "killed OS pid $victim"
await "instance 2 to come back" is_back 2
answer=$(get 2) || fail "instance 2 does not answer"
say "instance 2 answers $(member version "$answer")   OS pid $(member os_pid "$answer"), counter $(member counter "$answer")"
expect_kept 1
expect_kept 3
await "deployex status to agree" all_run 0.1.0
crashes=$(status_of 2 crash_restarts)
[[ $crashes == 1 ]] || fail "deployex counts ${crashes:-no} crash restarts of instance 2, not 1"
say "instances 1 and 3 are as they were; instance 2 has 1 crash restart in deployex status"
step_log

step "3. Full deployment: 0.1.1 has no appup, so each instance is replaced, one at a time" \
    "Expected: new OS pids, counters at 0, never two instances silent at once."
remember
publish 0.1.1
watch_rollout 0.1.1
((most_away <= 1)) || fail "$most_away instances were silent at the same time"
say "at most $most_away of $replicas instances were silent at any time"
for ((i = 1; i <= replicas; i++)); do
    is_back "$i" || fail "instance $i does not answer, or has the OS pid of before"
done
increment_all
step_log
look "$folder/varlib/service/counter/1/{current,previous}"

step "4. Hot upgrade: 0.1.2 has an appup from 0.1.1, so the code is exchanged while it runs" \
    "Expected: the same OS pids and counters, although the state has changed its shape."
remember
publish 0.1.2
watch_rollout 0.1.2
for ((i = 1; i <= replicas; i++)); do
    expect_kept "$i"
    answer=$(get "$i") || fail "instance $i does not answer"
    [[ $(member greeting "$answer") == "$greeting" ]] || fail "instance $i has lost its configuration: $answer"
    kind=$(status_of "$i" last_deployment)
    [[ $kind == hot_upgrade ]] || fail "instance $i had a ${kind:-deployment without a name}, not a hot upgrade"
    say "instance $i kept OS pid ${pids[i]}, counter ${counters[i]} and its configuration; counts since $(member since "$answer")"
done
step_log

step "5. deployex status"
"$deployex" status | while IFS= read -r line; do printf '  %s\n' "$line"; done

printf '\n%sAll of it worked, in %s.%s\n' "$green" "$(seconds_since "$demo_begin")" "$plain"

if [[ -n ${DEMO_EXIT:-} ]]; then exit 0; fi

cat <<EOF

Everything keeps running until Ctrl-C. In another terminal:
  . $folder/env
  $deployex status
  $deployex login-link        an address that logs you in at the dashboard
  $deployex rpc counter-1 erlang system_info '[otp_release]'
  curl -X POST http://127.0.0.1:$first_port/increment
  curl -X POST http://127.0.0.1:$first_port/crash
  tail -f $log
EOF
trap 'interrupted=0; exit' INT
wait "$deployex_pid" || true
fail "deployex has ended"
