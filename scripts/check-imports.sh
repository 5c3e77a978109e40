#!/usr/bin/env bash
# Fails when a target imports a module of this package that its row below does not name.
#
# The compiler lets a target import whatever a dependency drags in, and Package.swift is easily
# widened; this table is the architecture, and is changed on purpose only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

arrows='
CAssets:
CInstructions:
CLinux:
COpenSSL:
CZlib:
ExternalTermFormat: CZlib
Transport: CLinux COpenSSL
EPMD: Transport
ErlDist: ExternalTermFormat Transport
HTTP: Transport
Supervisor: CLinux Transport
Deployment: CZlib ExternalTermFormat ErlDist Supervisor Transport
AWS: HTTP ErlDist Supervisor Deployment Transport
Notifications: ExternalTermFormat HTTP ErlDist Supervisor Deployment Transport
Dashboard: CAssets CZlib ExternalTermFormat HTTP Supervisor Deployment Transport
TestKit: *
deployex: *
deployex-bench: *
deployex-reliability: *
'

# shellcheck disable=SC2016 # the backtick and the dollars are awk's
find Sources -name '*.swift' -print0 | LC_ALL=C sort -z | ARROWS=$arrows xargs -0 awk '
BEGIN {
    count = split(ENVIRON["ARROWS"], rows, "\n")
    for (i = 1; i <= count; i++) {
        if (rows[i] == "") continue
        colon = index(rows[i], ":")
        allowed[substr(rows[i], 1, colon - 1)] = substr(rows[i], colon + 1) " "
    }
}

function complain(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failed = 1
}

# The module that a statement imports, or "": attributes and access levels may come before the word,
# the kind of a single declaration after it.
function imported(statement) {
    while (match(statement, /^[ \t]*(@[A-Za-z_]+(\([^)]*\))?|public|package|internal|fileprivate|private)[ \t]*/))
        statement = substr(statement, RLENGTH + 1)
    if (!match(statement, /^[ \t]*import[ \t]+/)) return ""
    statement = substr(statement, RLENGTH + 1)
    if (match(statement, /^(typealias|struct|class|enum|protocol|let|var|func)[ \t]+/))
        statement = substr(statement, RLENGTH + 1)
    gsub(/`/, "", statement)
    match(statement, /^[A-Za-z_0-9]*/)
    return substr(statement, 1, RLENGTH)
}

FNR == 1 {
    split(FILENAME, path, "/")
    target = path[2]
    if (!(target in allowed)) complain("scripts/check-imports.sh has no row for the target " target)
}

/import/ && target in allowed {
    sub(/\/\/.*/, "")
    gsub(/\/\*[^*]*\*\//, " ")
    count = split($0, statements, ";")
    for (i = 1; i <= count; i++) {
        module = imported(statements[i])
        if (module == "" || module == target || !(module in allowed)) continue
        if (allowed[target] !~ /\*/ && index(allowed[target], " " module " ") == 0)
            complain(target " must not import " module "; it may import:" allowed[target])
    }
}

END { exit failed }
'
