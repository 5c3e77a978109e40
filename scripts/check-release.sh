#!/usr/bin/env bash
# Fails when a release binary is easier to attack than it needs to be: relocations that stay writable,
# libraries looked for in folders of a build machine, an executable stack, a fixed address, symbols.
# It also holds the README's words about the libraries that it needs.
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

# As the README says: libraries of the operating system alone, and a C library that is not too new.
needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic")
known='^(libssl\.so\.3|libcrypto\.so\.3|libz\.so\.1|libstdc\+\+\.so\.6|libgcc_s\.so\.1|lib[cm]\.so\.6|ld-linux.*)$'
! grep -Evx "$known" <<<"$needed" || complain "it needs other libraries than the README says"
glibc=$(objdump -T "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
[[ $(printf '%s\nGLIBC_2.34\n' "$glibc" | sort -V | tail -n 1) == GLIBC_2.34 ]] ||
    complain "it needs $glibc, and the README says 2.34 (see Sources/CLinux/OlderLibrary.c)"
glibcxx=$(objdump -T "$binary" | grep -o 'GLIBCXX_[0-9.]*' | sort -uV | tail -n 1)
[[ $(printf '%s\nGLIBCXX_3.4.29\n' "$glibcxx" | sort -V | tail -n 1) == GLIBCXX_3.4.29 ]] ||
    complain "it needs $glibcxx, and the README says libstdc++ of GCC 11, which has 3.4.29"
exit $failures
