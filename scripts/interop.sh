#!/usr/bin/env bash
# Runs the tests against real Erlang nodes: for each OTP that is there, with connections over TCP and over
# TLS 1.2 and 1.3. Of OTP, 25 is the host's, whatever release that is; 27 and 29 are those of
# scripts/setup-otp.sh. A missing one is named and skipped.
#
#   scripts/interop.sh                 all nine
#   scripts/interop.sh 27              one OTP, three transports
#   scripts/interop.sh tls1.2 tls1.3   three OTPs, two transports
#   scripts/interop.sh 27 29 tls1.3    two OTPs, one transport
#   INTEROP_FILTER=DistCallTests       only the tests that match
#   DEPLOYEX_OTP_ROOTS=FOLDER          27 and 29 are there instead of in .otp
#
# What has nothing to do with the transport (EPMD, terms) is tried over TCP only.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
# shellcheck source=scripts/otp.sh
. scripts/otp.sh
export DEPLOYEX_OTP_ROOTS=$roots
# The releases that the hot upgrade tests install.
versions=(0.1.1 0.1.2 0.1.4 0.2.0)

releases=()
transports=()
for word in "$@"; do
    case $word in
    25 | 27 | 29) releases+=("$word") ;;
    tcp | tls1.2 | tls1.3) transports+=("$word") ;;
    *)
        printf 'usage: %s [25] [27] [29] [tcp] [tls1.2] [tls1.3]\n' "$0" >&2
        exit 2
        ;;
    esac
done
((${#releases[@]})) || releases=(25 27 29)
((${#transports[@]})) || transports=(tcp tls1.2 tls1.3)

results=()
say() { printf 'interop: %s\n' "$*"; }

# What the last run says of itself: "1 test skipped" and the like.
summary() {
    local skipped
    skipped=$(grep -c '➜ Test .* skipped' "$1" || true)
    sed -n 's/.*Test run with \([0-9]* tests\).* after \([0-9]*\)[0-9.]* seconds.*/\1, \2 s/p' "$1" | tail -n 1
    ((skipped == 0)) || printf '%s skipped' "$skipped"
}

failures=0
built=''
output=$(mktemp)
trap 'rm -f "$output"' EXIT
for release in "${releases[@]}"; do
    reason=$(obstacle "$release")
    if [[ -n $reason ]]; then
        say "OTP $release is skipped: $reason"
        for transport in "${transports[@]}"; do
            results+=("OTP $release over $transport: skipped, $reason")
        done
        continue
    fi
    [[ -n $built ]] || swift build --build-tests
    built=yes
    [[ $release == 25 ]] || copy_hosts "$release"
    build_packages "$release" "${versions[@]}"
    for transport in "${transports[@]}"; do
        filter=${INTEROP_FILTER:-InteropTests}
        [[ $transport == tcp || -n ${INTEROP_FILTER:-} ]] || filter='InteropTests\.(DistTests|HotUpgradeInteropTests|OTPReleaseTests)'
        say "OTP $release over $transport"
        verdict=passed
        DEPLOYEX_OTP=$release DEPLOYEX_TRANSPORT=$transport DEPLOYEX_EXAMPLE_PACKAGES=$packages \
            swift test --skip-build --filter "$filter" 2>&1 | tee "$output" || verdict=failed
        [[ $verdict == passed ]] || failures=$((failures + 1))
        results+=("OTP $release over $transport: $verdict ($(summary "$output" | paste -sd, | sed 's/,/, /g; s/,  /, /g'))")
    done
done

for result in "${results[@]}"; do say "$result"; done
((failures == 0))
