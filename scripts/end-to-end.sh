#!/usr/bin/env bash
# Runs the end-to-end tests on another OTP than the host's: with deployex, EPMD, erl, mix and releases in the
# Debian that scripts/setup-otp.sh has made. The tests that `swift build --build-tests` has built run there as they
# are: the repository and Swift's libraries are seen in it under their own paths.
#
#   scripts/end-to-end.sh 27       one OTP
#   scripts/end-to-end.sh 27 29
#   END_TO_END_FILTER=LifeTests    only the tests that match
#   DEPLOYEX_OTP_ROOTS=FOLDER      27 and 29 are there instead of in .otp
#   DEPLOYEX_TESTED=dist/deployex  this deployex is tested instead of the one built with the tests; in this repository
#
# Root starts it: it mounts, in a namespace of its own. The shells whose completions are tested are not there, nor are
# Chromium and moto, which belongs to the host's Python. Debian's rebar3 needs a whole desktop: where somebody has
# installed it, its tests run.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/otp.sh
. scripts/otp.sh
filter=${END_TO_END_FILTER:-EndToEndTests}
tested=${DEPLOYEX_TESTED:+$(realpath "$DEPLOYEX_TESTED")}

releases=("$@")
((${#releases[@]})) || releases=(27 29)
for release in "${releases[@]}"; do
    [[ $release == 27 || $release == 29 ]] || {
        printf 'usage: %s [27] [29]\n' "$0" >&2
        exit 2
    }
done
say() { printf 'end-to-end: %s\n' "$*"; }

failures=0
for release in "${releases[@]}"; do
    reason=$(obstacle "$release")
    if [[ -n $reason ]]; then
        say "OTP $release is skipped: $reason"
        continue
    fi
    swift build --build-tests
    tests=$(swift build --show-bin-path)
    tests=$(find "$tests" -maxdepth 1 -name '*.xctest')
    toolchain=$(dirname "$(dirname "$(realpath "$(command -v swift)")")")
    copy_hosts "$release"
    build_packages "$release"
    skipped=(--skip CompletionTests --skip DashboardPagesTests --skip 'bucket|Secrets Manager')
    say "OTP $release"
    if [[ ! -x $roots/$release/usr/bin/rebar3 ]]; then
        say "there is no rebar3 in $roots/$release: what needs it is skipped"
        skipped+=(--skip rebar3)
    fi
    # shellcheck disable=SC2016 # the inner shell's
    unshare --mount --pid --fork --kill-child bash -euo pipefail -c '
        folder=$1 root=$2 toolchain=$3 packages=$4 tests=$5 filter=$6 tested=$7
        # Tests make namespaces themselves, for which / has to be a mount.
        mount --bind "$folder" "$folder"
        mount -t proc proc "$folder/proc"
        mount --rbind /dev "$folder/dev"
        mount -t sysfs -o ro sysfs "$folder/sys" 2>/dev/null || true
        mount -t tmpfs -o mode=1777 none "$folder/tmp"
        for path in "$root" "$toolchain"; do
            mkdir -p "$folder$path"
            mount --bind "$path" "$folder$path"
        done
        exec chroot "$folder" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
            HOME=/root LANG=C.UTF-8 DEPLOYEX_EXAMPLE_PACKAGES="$packages" \
            ${tested:+"DEPLOYEX_TESTED=$tested"} \
            "$tests" --testing-library swift-testing --filter "$filter" "${@:8}"
    ' end-to-end "$(realpath "$roots/$release")" "$PWD" "$toolchain" \
        "${packages#"$roots/$release"}" "$tests" "$filter" "$tested" "${skipped[@]}" || failures=$((failures + 1))
done
((failures == 0))
