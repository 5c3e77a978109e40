#!/usr/bin/env bash
# Makes from a release binary what is published: dist/deployex-VERSION-linux-ARCH.tar.gz, a .deb, and a
# .sha256 and a bill of materials of each. The same binary and commit give the same bytes.
#
#   scripts/package.sh BINARY [OUTPUT_FOLDER]
#
#   SOURCE_DATE_EPOCH    the time of all files (default: that of the last commit)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$(realpath "${1:?usage: package.sh BINARY [OUTPUT_FOLDER]}")
output=${2:-$root/dist}
export LC_ALL=C TZ=UTC
umask 022

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
version=$("$binary" version | sed -n 's/^deployex //p')
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+([.+~-][0-9A-Za-z.+~-]*)?$ ]] || {
    echo "package: $binary does not say a version: \"$version\"" >&2
    exit 1
}
case $(readelf -hW "$binary" | sed -n 's/ *Machine: *//p') in
    *X86-64*) machine=x86_64 architecture=amd64 ;;
    *AArch64*) machine=aarch64 architecture=arm64 ;;
    *)
        echo "package: $binary is for another processor than amd64 and arm64" >&2
        exit 1
        ;;
esac
day=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$output"
output=$(realpath "$output")
packaging=$root/packaging

# ── What both have ──────────────────────────────────────────────────────────────────────────────
mkdir "$work/made"
"$root/scripts/man-page.py" "$binary" "$day" >"$work/made/deployex.8"
sed "s/^\.TH .*/.TH DEPLOYEX\\\\-CERTIFICATES 8 \"$day\" \"deployex $version\" \"deployex\"/" \
    "$packaging/deployex-certificates.8" >"$work/made/deployex-certificates.8"
for shell in bash zsh fish; do "$binary" completion "$shell" >"$work/made/completion.$shell"; done
"$root/scripts/sbom.py" "$binary" "$version" "$architecture" "$SOURCE_DATE_EPOCH" \
    >"$work/made/sbom.cdx.json"

checksum() { (cd "$output" && sha256sum "$1" >"$1.sha256"); }

# ── The tarball, for the installer ──────────────────────────────────────────────────────────────
name=deployex-$version-linux-$machine
tree=$work/$name
install -D -m 755 "$binary" "$tree/bin/deployex"
install -m 755 "$packaging/deployex-certificates" "$tree/bin/"
install -m 755 "$packaging/deployex.sh" "$tree/"
install -D -m 644 -t "$tree/systemd" "$packaging"/systemd/*
install -D -m 644 -t "$tree/share/man/man8" "$work"/made/*.8
install -D -m 644 "$work/made/completion.bash" "$tree/share/completions/deployex.bash"
install -m 644 "$work/made/completion.zsh" "$tree/share/completions/_deployex"
install -m 644 "$work/made/completion.fish" "$tree/share/completions/deployex.fish"
install -D -m 755 "$root/scripts/make-certs.sh" "$tree/share/scripts/make-certs.sh"
install -D -m 644 -t "$tree/share/certs" "$root"/certs/*.cnf
install -D -m 644 -t "$tree/share/examples" "$packaging"/examples/*
install -m 644 "$packaging/needrestart.conf" "$packaging/sudoers" "$tree/share/"
install -m 644 "$root/LICENSE" "$packaging/THIRD-PARTY" "$root/CHANGELOG.md" "$tree/"
install -m 644 "$work/made/sbom.cdx.json" "$tree/"
tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
    -cf - "$name" | gzip -n -9 >"$output/$name.tar.gz"
checksum "$name.tar.gz"
install -m 644 "$work/made/sbom.cdx.json" "$output/$name.cdx.json"

# ── The Debian package ──────────────────────────────────────────────────────────────────────────
# A "-" in a version begins Debian's revision, and "~" sorts before nothing.
debian=${version/-/\~}
deb=$work/deb
install -D -m 755 "$binary" "$deb/usr/bin/deployex"
install -D -m 755 "$packaging/deployex-certificates" "$deb/usr/sbin/deployex-certificates"
install -D -m 644 -t "$deb/usr/lib/systemd/system" "$packaging"/systemd/*
install -D -m 755 "$root/scripts/make-certs.sh" "$deb/usr/share/deployex/scripts/make-certs.sh"
install -D -m 644 -t "$deb/usr/share/deployex/certs" "$root"/certs/*.cnf
install -d "$deb/usr/share/man/man8"
for page in deployex deployex-certificates; do
    gzip -n -9 <"$work/made/$page.8" >"$deb/usr/share/man/man8/$page.8.gz"
done
install -D -m 644 "$work/made/completion.bash" "$deb/usr/share/bash-completion/completions/deployex"
install -D -m 644 "$work/made/completion.zsh" "$deb/usr/share/zsh/vendor-completions/_deployex"
install -D -m 644 "$work/made/completion.fish" "$deb/usr/share/fish/vendor_completions.d/deployex.fish"
install -D -m 644 "$packaging/needrestart.conf" "$deb/etc/needrestart/conf.d/deployex.conf"
install -D -m 440 "$packaging/sudoers" "$deb/etc/sudoers.d/deployex"
install -D -m 644 "$packaging/lintian-overrides" "$deb/usr/share/lintian/overrides/deployex"
doc=$deb/usr/share/doc/deployex
install -D -m 644 -t "$doc/examples" "$packaging"/examples/*
install -m 644 "$work/made/sbom.cdx.json" "$doc/"
{
    cat <<'COPYRIGHT'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
COPYRIGHT
    sed -n 's/^Copyright (c) /Copyright: /p' "$root/LICENSE"
    echo 'License: Expat'
    sed '1,/^Copyright/d; s/^$/./; s/^/ /' "$root/LICENSE" | sed 1d
    sed 's/^$/./; s/^/ /' "$packaging/THIRD-PARTY" | sed '1s/^ /Comment: /'
} >"$doc/copyright"
{
    printf 'deployex (%s) unstable; urgency=medium\n\n' "$debian"
    printf '  * Release %s; CHANGELOG.md has what is new.\n\n' "$version"
    printf ' -- The deployex authors <deployex@localhost.localdomain>  %s\n' \
        "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -n -9 >"$doc/changelog.gz"
gzip -n -9 <"$root/CHANGELOG.md" >"$doc/CHANGELOG.md.gz"

install -d "$deb/DEBIAN"
glibc=$(objdump -T "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
cat >"$deb/DEBIAN/control" <<CONTROL
Package: deployex
Version: $debian
Architecture: $architecture
Maintainer: The deployex authors <deployex@localhost.localdomain>
Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$deb" | cut -f 1)
Depends: libc6 (>= ${glibc#GLIBC_}), libssl3 | libssl3t64, zlib1g, libstdc++6 (>= 11), libgcc-s1, adduser, systemd
Recommends: openssl, sudo
Section: admin
Priority: optional
Description: deploys, hot-upgrades and supervises Erlang and Elixir releases
 deployex watches a store of releases of mix release or rebar3, deploys what is
 published there on the instances of this host one after the other, watches
 their health over the Erlang distribution, and restarts what crashes.
CONTROL
(cd "$deb" && find etc -type f | sort | sed 's|^|/|') >"$deb/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "$packaging/debian/$script" "$deb/DEBIAN/"; done
(cd "$deb" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) \
    >"$deb/DEBIAN/md5sums"
find "$deb" -type d -exec chmod 755 {} +
chmod 644 "$deb"/DEBIAN/{control,conffiles,md5sums}
find "$deb" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
package=deployex_${debian}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$deb" "$output/$package" >/dev/null
checksum "$package"
install -m 644 "$work/made/sbom.cdx.json" "$output/$package.cdx.json"
printf 'package: %s\n' "$output/$name.tar.gz" "$output/$package"
