#!/usr/bin/env bash
# Makes the certificates for the distribution over mutual TLS, with OpenSSL and the configuration in
# certs/: a certificate authority (ca.crt, ca.key), if there is none yet, and a node's certificate that it
# signs (deployex.crt, deployex.key), anew each time. It copies ca.crt, deployex.crt and deployex.key to
# the top folder, from where they are installed.
#
#   FORCE=1        make a new authority: every certificate of the former one is refused from then on
#   CERT_NAMES     more host names and addresses that the nodes are called by: "db1 10.0.0.7"
#   CERT_FOLDER    where the certificates are made (default: certs)
#   OUTPUT_FOLDER  where they are copied to (default: the top folder)
set -euo pipefail
# Before anything is written: private keys are their owner's only.
umask 077

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${CERT_FOLDER:-$root/certs}
output=${OUTPUT_FOLDER:-$root}
ca_days=3650
leaf_days=395

fail() {
    printf 'make-certs: %s\n' "$@" >&2
    exit 1
}

quietly() {
    local log
    log=$("$@" 2>&1) || fail "${*:0:3} failed:" "$log"
}

# What stands in a subject alternative name: DNS:name or IP:address.
alternative() {
    if [[ $1 =~ ^[0-9]+(\.[0-9]+){3}$ || $1 == *:* ]]; then
        printf 'IP:%s' "$1"
    elif [[ $1 =~ ^[A-Za-z0-9_*]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$ ]]; then
        printf 'DNS:%s' "$1"
    else
        fail "\"$1\" is neither a host name nor an address"
    fi
}

command -v openssl >/dev/null || fail "openssl is not installed"
mkdir -p "$folder" "$output"

work=$(mktemp -d "$folder/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT

# ── Names ───────────────────────────────────────────────────────────────────────────────────────

# A node checks the name that it has connected to: the host part of the other node's name.
# Where the resolver gives the host another name, OTP's short names have that one's first part.
full=$(hostname -f 2>/dev/null || hostname)
names=("$(hostname -s 2>/dev/null || hostname)" "$full" "${full%%.*}" localhost)
read -ra more <<<"${CERT_NAMES:-}"
listed=''
for name in "${names[@]}" ${more[@]+"${more[@]}"}; do
    entry=$(alternative "$name")
    [[ ,$listed, == *",$entry,"* ]] || listed=${listed:+$listed,}$entry
done
export SUBJECT_ALTERNATIVE_NAMES=$listed

# ── The authority ───────────────────────────────────────────────────────────────────────────────

if [[ -n ${FORCE:-} || ( ! -e $folder/ca.crt && ! -e $folder/ca.key ) ]]; then
    quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/ca.key"
    quietly openssl req -new -x509 -config "$root/certs/ca.cnf" -key "$work/ca.key" \
        -sha256 -days "$ca_days" -out "$work/ca.crt"
    chmod 644 "$work/ca.crt"
    mv "$work/ca.key" "$folder/ca.key"
    mv "$work/ca.crt" "$folder/ca.crt"
    printf 'made the certificate authority %s (keep its ca.key secret)\n' "$folder/ca.crt"
elif [[ ! -e $folder/ca.crt || ! -e $folder/ca.key ]]; then
    fail "$folder has only one of ca.crt and ca.key: put the other one back, or make both anew with FORCE=1"
elif ! openssl x509 -in "$folder/ca.crt" -noout -checkend $((leaf_days * 86400)) >/dev/null; then
    fail "the certificate authority $folder/ca.crt ends before a new certificate would:" \
        "make a new one with FORCE=1, and install it wherever the old one is"
fi

# ── The node ────────────────────────────────────────────────────────────────────────────────────

quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/deployex.key"
quietly openssl req -new -config "$root/certs/node.cnf" -key "$work/deployex.key" \
    -out "$work/deployex.csr"
quietly openssl x509 -req -in "$work/deployex.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" \
    -set_serial "0x$(openssl rand -hex 16 | sed 's/^./4/')" -sha256 -days "$leaf_days" \
    -extfile "$root/certs/node.cnf" -extensions node -out "$work/deployex.crt"
quietly openssl verify -CAfile "$folder/ca.crt" "$work/deployex.crt"
chmod 644 "$work/deployex.crt"
mv "$work/deployex.key" "$folder/deployex.key"
mv "$work/deployex.crt" "$folder/deployex.crt"
printf 'made the certificate %s for %s, valid for %s days\n' \
    "$folder/deployex.crt" "${listed//,/, }" "$leaf_days"

# ── Copies ──────────────────────────────────────────────────────────────────────────────────────

if [[ $output != "$folder" ]]; then
    for file in ca.crt deployex.crt deployex.key; do
        # Each appears whole: a running node may look at them at any time.
        cp -p "$folder/$file" "$output/.$file.new"
        mv "$output/.$file.new" "$output/$file"
    done
    printf 'copied ca.crt, deployex.crt and deployex.key to %s\n' "$output"
fi
