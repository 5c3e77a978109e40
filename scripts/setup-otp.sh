#!/usr/bin/env bash
# Makes the Erlangs that tests run against beside the host's: .otp/27 and .otp/29, each a Debian of its own
# with Erlang and Elixir, and what end-to-end tests need beside them. The interop tests start programs there by
# chroot; the end-to-end tests run in it.
#
#   scripts/setup-otp.sh           both
#   scripts/setup-otp.sh 27        one of them
#
#   DEPLOYEX_OTP_ROOTS=FOLDER      there instead of in .otp
#   DEPLOYEX_DEBIAN_MIRROR=URL     from there instead of from deb.debian.org
#
# It needs root, or sudo, and downloads about 150 MB for each. One that is there already is left as it is.
set -euo pipefail

declare -A suites=([27]=trixie [29]=sid)
mirror=${DEPLOYEX_DEBIAN_MIRROR:-http://deb.debian.org/debian}

fail() {
    printf 'setup-otp: %s\n' "$@" >&2
    exit 1
}

(($#)) || set -- 27 29
for release in "$@"; do
    [[ -n ${suites[$release]:-} ]] || {
        printf 'usage: %s [27] [29]\n' "$0" >&2
        exit 2
    }
done

# What end-to-end tests need beside Erlang.
tools=(python3 openssl curl minisign)

roots=${DEPLOYEX_OTP_ROOTS:-$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")/.otp}

# What OTP a folder holds, or nothing when it holds none that works.
release_in() {
    chroot "$1" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root /usr/bin/erl -noshell -noinput \
        -eval 'io:format("~s", [erlang:system_info(otp_release)]), halt().' 2>/dev/null || true
}

# Whether a folder has every program that is used there.
is_whole() {
    local tool
    for tool in erl "${tools[@]}"; do [[ -x $1/usr/bin/$tool ]] || return 1; done
}

missing=()
for release in "$@"; do
    if ! is_whole "$roots/$release"; then
        missing+=("$release")
    elif ((EUID == 0)) && [[ $(release_in "$roots/$release") != "$release" ]]; then
        missing+=("$release")
    fi
done
((${#missing[@]})) || exit 0

if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "chroot needs root: run this as root, or install sudo."
    exec sudo env "PATH=$PATH" "DEPLOYEX_OTP_ROOTS=$roots" "DEPLOYEX_DEBIAN_MIRROR=$mirror" \
        "$(realpath "${BASH_SOURCE[0]}")" "${missing[@]}"
fi

# Debian's tools live in sbin, which is not on everybody's PATH.
PATH=$PATH:/usr/sbin:/sbin
if ! command -v debootstrap >/dev/null; then
    command -v apt-get >/dev/null || fail "debootstrap is not installed, and this is not a Debian system."
    export DEBIAN_FRONTEND=noninteractive
    apt-get -o DPkg::Lock::Timeout=120 update -q
    apt-get -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends debootstrap
fi

# A bootstrap that was interrupted leaves /proc and /sys mounted: those must go before the folder does.
remove() {
    local mounted
    [[ -e $1 ]] || return 0
    while IFS= read -r mounted; do
        umount "$mounted"
    done < <(awk -v folder="$1/" 'index($2, folder) == 1 { print $2 }' /proc/self/mounts | sort -r)
    rm -rf --one-file-system "$1"
}

mkdir -p "$roots"
exec 9>"$roots/.lock"
flock 9

for release in "${missing[@]}"; do
    folder=$roots/$release
    partial=$folder.partial
    # Another run may have made it while this one waited.
    is_whole "$folder" && [[ $(release_in "$folder") == "$release" ]] && continue
    remove "$partial"
    printf 'setup-otp: making %s from Debian %s\n' "$folder" "${suites[$release]}"
    if ! debootstrap --variant=minbase \
        --include="$(IFS=, && echo erlang-base,erlang-ssl,erlang-tools,elixir,"${tools[*]}")" \
        "${suites[$release]}" "$partial" "$mirror" >"$folder.log" 2>&1 9>&-; then
        tail -n 20 "$folder.log" >&2
        remove "$partial"
        fail "debootstrap of ${suites[$release]} failed; all it said is in $folder.log"
    fi
    rm -f "$partial"/var/cache/apt/archives/*.deb
    found=$(release_in "$partial")
    if [[ $found != "$release" ]]; then
        remove "$partial"
        fail "Debian ${suites[$release]} has Erlang/OTP ${found:-?} now, not $release."
    fi
    remove "$folder"
    # The name appears when it is whole.
    mv "$partial" "$folder"
    rm -f "$folder.log"
done
