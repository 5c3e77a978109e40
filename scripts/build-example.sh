#!/usr/bin/env bash
# Builds packages of Examples/counter: FOLDER/counter-VERSION.tar.gz, as `mix release` makes them.
#
# A package is built again when a source, this script or the installed Erlang or Elixir has changed.
# Several runs may share a folder: each waits for the one before. Nothing is fetched from a network,
# and nothing outside the folder is written.
set -euo pipefail

all_versions=(0.1.0 0.1.1 0.1.2 0.1.3 0.1.4 0.2.0)

if [[ $# -eq 0 || $1 == -* ]]; then
    printf 'usage: %s FOLDER [VERSION…]     versions: %s\n' "$0" "${all_versions[*]}" >&2
    exit 2
fi
for tool in mix erl flock; do
    command -v "$tool" >/dev/null || {
        printf '%s: %s is not installed; "make setup" installs it\n' "$0" "$tool" >&2
        exit 1
    }
done

script=$(realpath "${BASH_SOURCE[0]}")
project=$(realpath "$(dirname "$script")/../Examples/counter")
mkdir -p "$1"
packages=$(realpath "$1")
shift
versions=("${@:-${all_versions[@]}}")
for version in "${versions[@]}"; do
    if [[ " ${all_versions[*]} " != *" $version "* ]]; then
        printf '%s: there is no version %s, only %s\n' "$0" "$version" "${all_versions[*]}" >&2
        exit 2
    fi
done
work=$packages/.build
mkdir -p "$work"

# What a package is made of, as one checksum.
fingerprint() {
    {
        cd "$project"
        find mix.exs config lib rel versions -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        sha256sum <"$script"
        stat -L -c '%n %s %Y' "$(command -v erl)" "$(command -v mix)"
    } | sha256sum | cut -d ' ' -f 1
}

microseconds() { printf '%s' "${EPOCHREALTIME//[.,]/}"; }

build() {
    local version=$1 folder=$work/$1
    rm -rf "$folder"
    mkdir -p "$folder/home"
    # An environment of its own, so that the caller's Erlang and Mix settings do not leak in.
    # Descriptor 9 is the lock: it must not outlive this script in a process started here.
    if ! (cd "$project" && env -i PATH="$PATH" HOME="$folder/home" LC_ALL=C.UTF-8 MIX_ENV=prod \
        MIX_BUILD_PATH="$folder" COUNTER_VERSION="$version" mix release --quiet) \
        </dev/null >"$folder/log" 2>&1 9>&-; then
        cat "$folder/log" >&2
        printf '%s: building counter-%s failed\n' "$0" "$version" >&2
        exit 1
    fi
    # The name appears when the package is whole.
    mv "$folder/counter-$version.tar.gz" "$packages/"
    rm -rf "$folder"
}

exec 9>"$work/lock"
flock 9

current=$(fingerprint)
for version in "${versions[@]}"; do
    stamp=$work/$version.fingerprint
    if [[ -f $packages/counter-$version.tar.gz && -f $stamp && $(<"$stamp") == "$current" ]]; then
        printf 'counter-%s.tar.gz is up to date\n' "$version"
        continue
    fi
    begin=$(microseconds)
    rm -f "$stamp"
    build "$version"
    printf '%s\n' "$current" >"$stamp"
    tenths=$((($(microseconds) - begin) / 100000))
    printf 'counter-%s.tar.gz built in %d.%d s\n' "$version" $((tenths / 10)) $((tenths % 10))
done
