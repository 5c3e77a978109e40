#!/usr/bin/env bash
# Runs the unit tests that were built as a user without rights: files that belong to others, folders that
# nobody may write to and the like are different for root. Root starts it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A number that no account has.
user=54321
if ((EUID != 0)); then
    echo 'test-as-user: this user has no rights already: "make test" is the same'
    exit 0
fi
bundle=$(swift build --show-bin-path)/deployexPackageTests.xctest
[[ -e $bundle ]] || {
    printf 'test-as-user: there is no %s: run "swift build --build-tests" first\n' "$bundle" >&2
    exit 1
}

# A clone in somebody's private folder is reached through a mount of its own.
folder=$PWD
if [[ -z ${DEPLOYEX_TEST_MOUNTED-} ]] && ! setpriv --reuid=$user --regid=$user --clear-groups test -r "$folder/Package.swift"; then
    closed=$folder
    while [[ $closed != / ]] && setpriv --reuid=$user --regid=$user --clear-groups test ! -x "$(dirname "$closed")"; do
        closed=$(dirname "$closed")
    done
    export DEPLOYEX_TEST_MOUNTED=1 folder closed
    # shellcheck disable=SC2016 # the inner shell expands them
    exec unshare --mount bash -ec '
        stash=$(mktemp -d)
        mount --bind "$folder" "$stash"
        mount -t tmpfs -o mode=755 none "$closed"
        mkdir -p "$folder"
        mount --bind "$stash" "$folder"
        cd "$folder"
        exec scripts/test-as-user.sh'
fi

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
chown $user:$user "$home"
env -i PATH="$PATH" LANG=C.UTF-8 HOME="$home" TMPDIR="$home" \
    setpriv --reuid=$user --regid=$user --clear-groups "$bundle" --testing-library swift-testing \
    --skip InteropTests --skip EndToEndTests --skip BrowserTests --skip SimulationTests
