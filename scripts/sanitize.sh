#!/usr/bin/env bash
# Runs the unit tests, then those against real Erlang nodes, under a sanitizer: thread or address. Each has
# a build of its own. What scripts/sanitizers/thread.supp names is not reported, and says why.
#
#   SANITIZE_FILTER=DistTests   only the tests that match
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1-} in
    thread) scratch=.build-tsan ;;
    address) scratch=.build-asan ;;
    *)
        printf 'usage: %s thread|address\n' "$0" >&2
        exit 2
        ;;
esac
suppressions=$PWD/scripts/sanitizers

# The first finding is enough: what comes after it may be its consequence.
export TSAN_OPTIONS="halt_on_error=1 suppressions=$suppressions/thread.supp ${TSAN_OPTIONS-}"
# No leaks: Swift keeps an enum's case in spare bits of its pointer, which the search for pointers does not know.
# The constants of the tests would be reported.
export ASAN_OPTIONS="detect_leaks=0 quarantine_size_mb=64 ${ASAN_OPTIONS-}"
# A report must not wait for the runtime's own backtrace.
export SWIFT_BACKTRACE=enable=no

packages=$PWD/.build/example-packages
export DEPLOYEX_EXAMPLE_PACKAGES=${DEPLOYEX_EXAMPLE_PACKAGES:-$packages}
scripts/build-example.sh "$DEPLOYEX_EXAMPLE_PACKAGES"
flags=(--sanitize="$1" --scratch-path "$scratch")
# One test after the other: all at once, each some ten times slower, would miss their deadlines.
swift build --build-tests "${flags[@]}"
if [[ -n ${SANITIZE_FILTER-} ]]; then
    swift test --skip-build --no-parallel "${flags[@]}" --filter "$SANITIZE_FILTER"
else
    swift test --skip-build --no-parallel "${flags[@]}" --skip InteropTests --skip EndToEndTests --skip BrowserTests
    swift test --skip-build --no-parallel "${flags[@]}" --filter InteropTests
fi
