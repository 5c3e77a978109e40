#!/usr/bin/env bash
# Fails when a release binary is easier to attack than it needs to be: relocations that stay writable,
# libraries looked for in folders of a build machine, an executable stack, a fixed address, symbols.
set -euo pipefail

binary=${1:?usage: check-release.sh BINARY}
dynamic=$(readelf -dW "$binary")
segments=$(readelf -lW "$binary")
header=$(readelf -hW "$binary")
sections=$(readelf -SW "$binary")
failures=0
complain() {
    printf 'check-release: %s: %s\n' "$binary" "$1" >&2
    failures=1
}

grep -q 'GNU_RELRO' <<<"$segments" || complain "no RELRO segment"
grep -Eq 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || complain "symbols are bound lazily: RELRO is partial"
! grep -Eq 'RPATH|RUNPATH' <<<"$dynamic" || complain "libraries are looked for in a folder of its own"
grep -Eq 'GNU_STACK.* RW ' <<<"$segments" || complain "the stack is executable"
grep -Eq 'Type:.*DYN' <<<"$header" || complain "it is loaded at a fixed address"
! grep -q ' \.symtab ' <<<"$sections" || complain "it is not stripped"
exit $failures
