#!/usr/bin/env bash
# Builds the releases of Tests/Releases that are named: FOLDER/NAME-VERSION.tar.gz of each.
#
# A package is built again when a source, this script or the installed Erlang or Elixir has changed.
# Several runs may share a folder: each waits for the one before. Nothing is fetched from a network,
# and nothing outside the folder is written.
#
#     scripts/build-test-releases.sh FOLDER PROJECT…
set -euo pipefail

(($# >= 2)) || {
    printf 'usage: %s FOLDER PROJECT…\n' "$0" >&2
    exit 2
}
script=$(realpath "${BASH_SOURCE[0]}")
projects=$(realpath "$(dirname "$script")/../Tests/Releases")
mkdir -p "$1"
packages=$(realpath "$1")
shift
mkdir -p "$packages/.build"
exec 9>"$packages/.build/lock"
flock 9

for project in "$@"; do
    work=$packages/.build/$project
    stamp=$packages/.build/$project.fingerprint
    current=$({
        cd "$projects/$project"
        find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        sha256sum <"$script"
        stat -L -c '%n %s %Y' "$(command -v erl)" "$(command -v mix)"
    } | sha256sum | cut -d ' ' -f 1)
    [[ ! -f $stamp || $(<"$stamp") != "$current" ]] || continue
    rm -rf "$work" "$stamp"
    mkdir -p "$work/home"
    cp -R "$projects/$project" "$work/source"
    # An environment of its own, so that the caller's Erlang and Mix settings do not leak in.
    # Descriptor 9 is the lock: it must not outlive this script in a process started here.
    if ! (cd "$work/source" && env -i PATH="$PATH" HOME="$work/home" LC_ALL=C.UTF-8 \
        MIX_ENV=prod mix release --quiet) </dev/null >"$work/log" 2>&1 9>&-; then
        cat "$work/log" >&2
        printf '%s: building %s failed\n' "$0" "$project" >&2
        exit 1
    fi
    mv "$work"/source/_build/prod/*.tar.gz "$packages/"
    rm -rf "$work"
    printf '%s\n' "$current" >"$stamp"
done
