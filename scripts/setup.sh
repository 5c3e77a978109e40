#!/usr/bin/env bash
# Checks that Swift is here, and installs the Debian packages that are missing. With nothing missing
# it changes nothing, asks nobody, and takes no time.
#
#     scripts/setup.sh          what building, the demo and the measurements need
#     scripts/setup.sh tests    what the tests need beside that
set -euo pipefail

swift_needed=6.2
erlang=(erlang-base erlang-crypto erlang-ssl erlang-tools erlang-dev elixir)
packages=(libssl-dev openssl zlib1g-dev pkg-config make gcc binutils curl jq util-linux python3)
tools=(erl epmd mix openssl pkg-config make cc strip curl jq flock python3)
case ${1:-} in
    '') ;;
    tests)
        erlang+=(rebar3)
        # zsh and fish for their completions, Chromium and a font for the dashboard's pages
        packages+=(logrotate minisign nginx zsh fish chromium chromium-driver fonts-dejavu-core python3-venv)
        tools+=(rebar3 logrotate minisign nginx zsh fish chromedriver)
        ;;
    *)
        printf 'usage: %s [tests]\n' "$0" >&2
        exit 2
        ;;
esac

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

check_swift() {
    local version install="Install it from https://www.swift.org/install/linux/ and put it on the PATH."
    command -v swift >/dev/null || fail "Swift $swift_needed or newer is needed, and there is no swift on the PATH." "$install"
    version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+(\.[0-9]+)*).*/\1/p' | head -n 1)
    [[ -n $version ]] || fail "\"swift --version\" does not say a version: is this toolchain whole? $(command -v swift)"
    if [[ $(printf '%s\n' "$swift_needed" "$version" | sort -V | head -n 1) != "$swift_needed" ]]; then
        fail "Swift $swift_needed or newer is needed; $(command -v swift) is $version." "$install"
    fi
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Another system: say what is missing, and let a machine pass that has it all.
check_commands() {
    local tool missing=()
    for tool in "${tools[@]}"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    for tool in openssl zlib; do
        pkg-config --exists "$tool" 2>/dev/null || missing+=("the headers of $tool")
    done
    if ((${#missing[@]})); then
        printf 'setup: missing: %s\n' "${missing[@]}" >&2
        fail "This is not a Debian system, so they are yours to install: Erlang/OTP 25 or newer (with erl_interface)," \
            "Elixir 1.14 or newer, and the development packages of OpenSSL 3 and zlib."
    fi
}

check_swift

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    check_commands
    exit 0
fi

# Someone who has an Erlang of their own on the PATH does not want Debian's beside it.
erl=$(command -v erl || true)
if [[ -z $erl || $erl == /usr/bin/erl ]]; then
    packages+=("${erlang[@]}")
else
    command -v mix >/dev/null || fail "Erlang is $erl, but there is no mix on the PATH: install Elixir for it."
    [[ ${1:-} != tests ]] || command -v rebar3 >/dev/null || fail "Erlang is $erl, but there is no rebar3 on the PATH: install it."
fi

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
((${#missing[@]})) || exit 0

install=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120)
if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "As root, run: apt-get install ${missing[*]}"
    install=(sudo "${install[@]}")
fi
printf 'setup: installing %s\n' "${missing[*]}"
"${install[@]}" update -q
"${install[@]}" install -q -y --no-install-recommends "${missing[@]}"
