#!/usr/bin/env bash
# Fails when the packages are not what they are to be: made twice they are the same bytes, their checksums
# are right, their manual pages have no mistake, and the bill of materials names every library.
#
#   scripts/check-packages.sh BINARY
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=${1:?usage: check-packages.sh BINARY}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    printf 'check-packages: %s\n' "$1" >&2
    exit 1
}

"$root/scripts/package.sh" "$binary" "$work/first" >/dev/null
# Neither the time nor the umask nor the locale of a build matters.
sleep 1
(umask 077 && LC_ALL=C.UTF-8 TZ=Asia/Tokyo "$root/scripts/package.sh" "$binary" "$work/second" >/dev/null)
diff -r "$work/first" "$work/second" || fail "made twice, the packages differ"
(cd "$work/first" && sha256sum --quiet -c ./*.sha256) || fail "a checksum is wrong"

mkdir "$work/deb" "$work/tree"
dpkg-deb -R "$work"/first/*.deb "$work/deb"
tar -xzf "$work"/first/*.tar.gz -C "$work/tree" --strip-components 1
cmp "$work/deb/usr/bin/deployex" "$work/tree/bin/deployex"
for script in "$work"/deb/DEBIAN/p* "$work/deb/usr/sbin/deployex-certificates" "$work/tree/deployex.sh"; do
    bash -n "$script"
done
! find "$work/deb" -perm /022 -not -type l | grep . || fail "others may change a file of the package"
if command -v man >/dev/null; then
    for page in "$work"/tree/share/man/man8/*; do
        text=$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
        [[ -z $text ]] || fail "$(basename "$page"): $text"
    done
fi
jq -e --argjson needed "$(readelf -dW "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | jq -R . | jq -s .)" \
    --arg sum "$(sha256sum <"$binary" | cut -d ' ' -f 1)" '
    .bomFormat == "CycloneDX" and .metadata.component.hashes[0].content == $sum
    and ([.components[].name] as $names | all($needed[]; . as $name | $names | index($name) != null))
    and ([.components[]."bom-ref"] | sort) == (.dependencies[0].dependsOn | sort)' \
    "$work/tree/sbom.cdx.json" >/dev/null || fail "the bill of materials"
