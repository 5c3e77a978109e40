# shellcheck shell=bash
# What the scripts share that run tests against several Erlangs; they source it from the top folder.
# Of OTP, 25 is the host's, whatever release that is; 27 and 29 are those of scripts/setup-otp.sh.

# The folder of theirs.
roots=${DEPLOYEX_OTP_ROOTS:-$PWD/.otp}

# Why the tests cannot run against this release; nothing when they can.
obstacle() {
    if [[ $1 == 25 ]]; then
        command -v erl >/dev/null || printf 'there is no erl on the PATH; "make setup" installs it'
    elif [[ ! -x $roots/$1/usr/bin/erl ]]; then
        printf 'there is none in %s; "scripts/setup-otp.sh %s" makes it' "$roots/$1" "$1"
    elif ((EUID != 0)); then
        printf 'its programs run by chroot, which needs root'
    fi
}

# Builds versions of the example with this release's own Elixir, and sets `packages`.
build_packages() { # RELEASE VERSION…
    local release=$1 there=/var/tmp/deployex-example folder
    shift
    if [[ $release == 25 ]]; then
        packages=$PWD/.build/example-packages
        scripts/build-example.sh "$packages" "$@"
        return
    fi
    folder=$roots/$release$there
    packages=$folder/packages
    mkdir -p "$folder/scripts" "$folder/Examples"
    rm -rf "$folder/Examples/counter"
    cp -r Examples/counter "$folder/Examples/"
    rm -rf "$folder/Examples/counter/"{_build,deps}
    cp scripts/build-example.sh "$folder/scripts/"
    chroot "$roots/$release" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 \
        "$there/scripts/build-example.sh" "$there/packages" "$@"
}

# The nodes there look up this host's name: without a file that holds it they would ask DNS, and wait for it.
copy_hosts() { # RELEASE
    local name
    name=$(hostname -s)
    cp /etc/hosts "$roots/$1/etc/hosts"
    grep -qw -- "$name" "$roots/$1/etc/hosts" || printf '127.0.1.1 %s\n' "$name" >>"$roots/$1/etc/hosts"
}
