#!/usr/bin/env bash
# Runs the tests against real Erlang nodes, once for each OTP that is there: 25 is the host's, whatever
# release that is; 27 and 29 are those of scripts/setup-otp.sh. A missing one is named and skipped.
#
#   scripts/interop.sh             all three
#   scripts/interop.sh 27          one of them
#   INTEROP_FILTER=DistTests       only the tests that match
#   DEPLOYEX_OTP_ROOTS=FOLDER      27 and 29 are there instead of in .otp
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
roots=${DEPLOYEX_OTP_ROOTS:-$root/.otp}
export DEPLOYEX_OTP_ROOTS=$roots
# The releases that the hot upgrade tests install.
versions=(0.1.1 0.1.2 0.1.4 0.2.0)

(($#)) || set -- 25 27 29
for release in "$@"; do
    [[ $release == 2[579] ]] || {
        printf 'usage: %s [25] [27] [29]\n' "$0" >&2
        exit 2
    }
done

results=()
say() { printf 'interop: %s\n' "$*"; }

# Why the tests cannot run against this release; nothing when they can.
obstacle() {
    if [[ $1 == 25 ]]; then
        command -v erl >/dev/null || printf 'there is no erl on the PATH; "make setup" installs it'
    elif [[ ! -x $roots/$1/usr/bin/erl ]]; then
        printf 'there is none in %s; "scripts/setup-otp.sh %s" makes it' "$roots/$1" "$1"
    elif ((EUID != 0)); then
        printf 'its programs run by chroot, which needs root'
    fi
}

# Builds the example with this release's own Elixir, and sets `packages`.
build_packages() {
    local there=/var/tmp/deployex-example folder
    if [[ $1 == 25 ]]; then
        packages=$root/.build/example-packages
        scripts/build-example.sh "$packages" "${versions[@]}"
        return
    fi
    folder=$roots/$1$there
    packages=$folder/packages
    mkdir -p "$folder/scripts" "$folder/Examples"
    rm -rf "$folder/Examples/counter"
    cp -r Examples/counter "$folder/Examples/"
    rm -rf "$folder/Examples/counter/"{_build,deps}
    cp scripts/build-example.sh "$folder/scripts/"
    chroot "$roots/$1" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 \
        "$there/scripts/build-example.sh" "$there/packages" "${versions[@]}"
}

failures=0
built=''
for release in "$@"; do
    reason=$(obstacle "$release")
    if [[ -n $reason ]]; then
        say "OTP $release is skipped: $reason"
        results+=("OTP $release: skipped, $reason")
        continue
    fi
    [[ -n $built ]] || swift build --build-tests
    built=yes
    say "OTP $release"
    if build_packages "$release" && DEPLOYEX_OTP=$release DEPLOYEX_EXAMPLE_PACKAGES=$packages \
        swift test --skip-build --filter "${INTEROP_FILTER:-InteropTests}"; then
        results+=("OTP $release: passed")
    else
        results+=("OTP $release: failed")
        failures=$((failures + 1))
    fi
done

for result in "${results[@]}"; do say "$result"; done
((failures == 0))
