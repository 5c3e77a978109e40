#!/bin/bash
# Installs deployex on this host, updates it, or removes it; root runs it.
#
#   deployex.sh --install|--update CONFIG.json [--dist URL|FOLDER|FILE]
#   deployex.sh --uninstall [--purge] [CONFIG.json]
#
#   --dist    where deployex-VERSION-linux-ARCH.tar.gz and its .sha256 are: the address of a folder, a
#             folder, or the tarball itself (default: "dist" in CONFIG.json, else the folder or the
#             unpacked tarball that this program lies in)
#   --purge   also remove the releases, the settings and deployex's own logs
#
# It may run again and again. --install writes /etc/deployex/deployex.env from CONFIG.json, --update
# changes only the program. Both check the tarball, try the new program before they switch to it, and go
# back to the one before if it does not come up. Applications go on running through both.
# docs/production.md names the fields of CONFIG.json.
set -euo pipefail
umask 022
export LC_ALL=C

opt=/opt/deployex
etc=/etc/deployex
user=deployex
units=(deployex.service deployex-applications.service deployex-certificates.service
    deployex-certificates.timer)
patience=${DEPLOYEX_INSTALL_TIMEOUT:-180}

say() { printf 'deployex.sh: %s\n' "$1"; }
# It ends the whole program, also from within $(…).
trap 'exit 1' TERM
fail() {
    printf 'deployex.sh: %s\n' "$@" >&2
    ((BASHPID == $$)) || kill -TERM $$
    exit 1
}
usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

# ── Arguments ───────────────────────────────────────────────────────────────────────────────────
operation='' config='' dist='' purge=no
while (($#)); do
    case $1 in
        --install | --update | --uninstall)
            [[ -z $operation ]] || usage
            operation=${1#--}
            ;;
        --dist)
            (($# > 1)) || usage
            dist=$2
            shift
            ;;
        --purge) purge=yes ;;
        -*) usage ;;
        *)
            [[ -z $config ]] || usage
            config=$1
            ;;
    esac
    shift
done
[[ -n $operation ]] || usage
[[ $operation == uninstall || -n $config ]] || usage
[[ $operation == uninstall || $purge == no ]] || usage
((EUID == 0)) || fail "run it as root"
[[ -d /run/systemd/system ]] || fail "systemd does not run here: deployex.sh installs a service of it"
if dpkg-query -W -f '${db:Status-Status}' deployex 2>/dev/null | grep -qx installed; then
    fail "the Debian package deployex is installed: update it with apt, or remove it first"
fi
# One at a time.
exec 9>/run/deployex-installer.lock
flock -n 9 || fail "another deployex.sh runs"

# ── The configuration ───────────────────────────────────────────────────────────────────────────
settings=''
read_config() {
    command -v jq >/dev/null || fail "jq is missing: apt-get install jq"
    [[ -f $config ]] || fail "$config: there is no such file"
    # The usual example has comments.
    settings=$(sed -E ':again; s@^(([^"]|"([^"\\]|\\.)*")*)//.*$@\1@; t again' "$config" |
        jq -e 'if type == "object" then . else error("not an object") end' 2>&1) ||
        fail "$config: this is not JSON: $settings"
    local unknown
    unknown=$(jq -r 'keys_unsorted - ["app_name","replicas","account_name","deployex_hostname",
        "release_adapter","release_bucket","release_path","secrets_adapter","secrets_path","aws_region",
        "version","os_target","deploy_timeout_rollback_ms","deploy_schedule_interval_ms","env","dist"]
        | join(", ")' <<<"$settings")
    [[ -z $unknown ]] || fail "$config: unknown: $unknown"
}
# KEY [DEFAULT]: the text or number; nothing when it is absent.
setting() {
    jq -re --arg key "$1" --arg default "${2-}" '.[$key] // $default
        | if type == "string" or type == "number" then tostring
          else error("\($key): a text or a number") end' <<<"$settings" ||
        fail "$config: $1: a text or a number is wanted"
}
seconds() { # KEY: the milliseconds of a key, as seconds
    jq -re --arg key "$1" '.[$key] // empty
        | if type == "number" and . > 0 then . / 1000 else error("no") end' <<<"$settings" 2>/dev/null || {
        jq -e --arg key "$1" '.[$key] == null' <<<"$settings" >/dev/null ||
            fail "$config: $1: milliseconds are wanted"
    }
}
# NAME VALUE: a line of an EnvironmentFile= (systemd.exec(5)).
line() {
    [[ $2 != *$'\n'* ]] || fail "$config: $1: a value has one line"
    [[ -n $2 ]] || return 0
    local value=${2//\\/\\\\}
    value=${value//\"/\\\"}
    value=${value//\$/\\\$}
    value=${value//\`/\\\`}
    printf '%s="%s"\n' "$1" "$value"
}
environment() {
    local app adapter name
    app=$(setting app_name)
    [[ $app =~ ^[a-z][a-z0-9_]*$ ]] || fail "$config: app_name: the name of the release is wanted"
    adapter=$(setting release_adapter s3)
    [[ $adapter == s3 || $adapter == local ]] || fail "$config: release_adapter: s3 or local"
    # Better now than when deployex starts.
    [[ $adapter == local || -n $(setting aws_region) ]] || fail "$config: aws_region: s3 needs it"
    [[ $(setting secrets_adapter env) =~ ^(env|aws)$ ]] || fail "$config: secrets_adapter: aws or env"
    echo "# Written by deployex.sh --install from $(basename "$config")"
    line DEPLOYEX_MONITORED_APP_NAME "$app"
    line DEPLOYEX_MONITORED_REPLICAS "$(setting replicas)"
    line DEPLOYEX_CLOUD_ENVIRONMENT "$(setting account_name prod)"
    line DEPLOYEX_PHX_HOST "$(setting deployex_hostname)"
    line DEPLOYEX_STORAGE_ADAPTER "$adapter"
    if [[ $adapter == local ]]; then
        line DEPLOYEX_STORAGE_PATH "$(setting release_path /srv/deployex)"
    else
        line DEPLOYEX_S3_BUCKET "$(setting release_bucket)"
    fi
    line DEPLOYEX_SECRETS_ADAPTER "$(setting secrets_adapter)"
    [[ $(setting secrets_adapter env) == env ]] || line DEPLOYEX_SECRETS_NAME "$(setting secrets_path)"
    line AWS_REGION "$(setting aws_region)"
    line DEPLOYEX_ROLLBACK_TIMEOUT "$(seconds deploy_timeout_rollback_ms)"
    line DEPLOYEX_POLL_INTERVAL "$(seconds deploy_schedule_interval_ms)"
    jq -e '(.env // {}) | type == "object"' <<<"$settings" >/dev/null || fail "$config: env: an object"
    while IFS= read -r name; do
        [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || fail "$config: env: \"$name\" is no variable's name"
        line "$name" "$(jq -re --arg name "$name" '.env[$name]
            | if type == "string" or type == "number" or type == "boolean" then tostring
              else error("no") end' <<<"$settings" || fail "$config: env.$name: a text is wanted")"
    done < <(jq -r '(.env // {}) | keys_unsorted[]' <<<"$settings")
}

# ── The tarball ─────────────────────────────────────────────────────────────────────────────────
check_host() {
    local id='' release=''
    if [[ -r /etc/os-release ]]; then
        id=$(. /etc/os-release && echo "${ID-}")
        release=$(. /etc/os-release && echo "${VERSION_ID-}")
    fi
    [[ "$id $release" != 'ubuntu 20.04' ]] ||
        fail "Ubuntu 20.04 is past its support, and has no OpenSSL 3: deployex needs 22.04 or newer"
    local floor=2.34 libc
    libc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)
    [[ $(printf '%s\n%s\n' "$floor" "${libc:-0}" | sort -V | head -n 1) == "$floor" ]] ||
        fail "this host's glibc is ${libc:-unknown}: deployex needs $floor or newer"
}
get() { # SOURCE TARGET
    case $1 in
        http://* | https://*)
            curl --fail --silent --show-error --location --retry 3 --output "$2" "$1" ||
                fail "$1 cannot be fetched"
            ;;
        *) cp "$1" "$2" || fail "$1 cannot be read" ;;
    esac
}
fetched=''
# Gets the tarball, checks it, and unpacks it into a folder below $opt/versions, whose path is $fetched.
fetch() {
    local version name source work sum expected here found
    here=$(dirname "$(realpath "$0")")
    [[ -n $dist ]] || dist=$(setting dist)
    version=$(setting version)
    work=$(mktemp -d "$opt/.new.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" EXIT
    if [[ -z $dist && -x $here/bin/deployex ]]; then
        # This program lies in an unpacked tarball, whose checksum has been seen to before.
        found=$(timeout 20 "$here/bin/deployex" version) || fail "$here/bin/deployex does not run here"
        [[ -z $version || $found == "deployex $version" ]] ||
            fail "this is $found, and $config wants $version: name the other one's place with --dist"
        mkdir "$work/tree"
        cp -r "$here"/. "$work/tree/"
    else
        dist=${dist:-$here}
        case $dist in
            *.tar.gz) source=$dist ;;
            *)
                [[ -n $version ]] || fail "$config: version: which one is wanted?"
                [[ $version =~ ^[0-9A-Za-z.+~-]+$ ]] || fail "$config: version: \"$version\" is none"
                source=${dist%/}/deployex-$version-linux-$(uname -m).tar.gz
                ;;
        esac
        name=$(basename "$source")
        get "$source.sha256" "$work/sha256"
        get "$source" "$work/$name"
        expected=$(awk -v name="$name" 'NF == 2 && ($2 == name || $2 == "*" name) { print $1 }' \
            "$work/sha256")
        [[ $expected =~ ^[0-9a-f]{64}$ ]] || fail "$source.sha256 does not name $name"
        sum=$(sha256sum <"$work/$name" | cut -d ' ' -f 1)
        [[ $sum == "$expected" ]] ||
            fail "$name has the checksum $sum, and $source.sha256 says $expected: nothing is changed"
        mkdir "$work/tree"
        tar -xzf "$work/$name" -C "$work/tree" --strip-components 1 --no-same-owner ||
            fail "$name cannot be unpacked"
    fi
    # It must run on this host before anything is changed.
    found=$(timeout 20 "$work/tree/bin/deployex" version) || fail "the new program does not run here"
    [[ $dist == *.tar.gz || -z $version || $found == "deployex $version" ]] ||
        fail "the tarball holds $found, not $version"
    sum=$(sha256sum <"$work/tree/bin/deployex" | cut -c 1-12)
    chown -R root:root "$work/tree"
    chmod -R u=rwX,go=rX "$work/tree"
    fetched=$opt/versions/${found#deployex }-$sum
    mkdir -p "$opt/versions"
    if [[ ! -d $fetched ]]; then
        sync -f "$work/tree"
        mv -T "$work/tree" "$fetched"
    fi
    rm -rf "$work"
    trap - EXIT
}

# ── Switching ───────────────────────────────────────────────────────────────────────────────────
put() { # MODE SOURCE TARGET: with the paths of this installation
    local new
    mkdir -p "$(dirname "$3")"
    new=$(mktemp "$3.XXXXXX.new")
    sed "s|/usr/bin/deployex|$opt/bin/deployex|g; s|/usr/sbin/deployex-|/usr/local/sbin/deployex-|g" \
        "$2" >"$new"
    chmod "$1" "$new"
    mv -f "$new" "$3"
}
# TREE: this host uses the program, units and files of it from now on.
switch_to() {
    local tree=$1 unit
    ln -sfn "$tree" "$opt/.current.new"
    mv -fT "$opt/.current.new" "$opt/current"
    ln -sfn current/bin "$opt/.bin.new"
    mv -fT "$opt/.bin.new" "$opt/bin"
    ln -sf "$opt/bin/deployex" /usr/local/bin/deployex
    for unit in "${units[@]}"; do put 644 "$tree/systemd/$unit" "/etc/systemd/system/$unit"; done
    mkdir -p /usr/local/sbin /usr/local/share/man/man8
    printf '#!/bin/sh\nDEPLOYEX_SHARE=%s exec %s "$@"\n' "$opt/current/share" \
        "$opt/bin/deployex-certificates" >/usr/local/sbin/.deployex-certificates.new
    chmod 755 /usr/local/sbin/.deployex-certificates.new
    mv -f /usr/local/sbin/.deployex-certificates.new /usr/local/sbin/deployex-certificates
    install -m 644 "$tree"/share/man/man8/*.8 /usr/local/share/man/man8/
    install -D -m 644 "$tree/share/completions/deployex.bash" \
        /usr/local/share/bash-completion/completions/deployex
    install -D -m 644 "$tree/share/completions/_deployex" /usr/local/share/zsh/site-functions/_deployex
    install -D -m 644 "$tree/share/completions/deployex.fish" \
        /usr/local/share/fish/vendor_completions.d/deployex.fish
    put 644 "$tree/share/needrestart.conf" /etc/needrestart/conf.d/deployex.conf
    if [[ -d /etc/sudoers.d ]]; then
        put 440 "$tree/share/sudoers" /etc/sudoers.d/deployex
        # sudo compares the name by which the PATH finds it.
        sed -i "s|$opt/bin/deployex\$|&, /usr/local/bin/deployex|" /etc/sudoers.d/deployex
    fi
    systemctl daemon-reload
}
# Whether deployex of $opt/current comes up; systemd waits for its READY=1.
comes_up() {
    systemctl reset-failed deployex.service 2>/dev/null || true
    timeout "$patience" systemctl restart deployex.service || return 1
    [[ $(systemctl show --property ActiveState --value deployex.service) == active ]] || return 1
    systemctl start deployex-applications.service
}
# Switches to $fetched, and back if it does not come up.
activate() {
    local previous=''
    [[ ! -L $opt/current ]] || previous=$(readlink -f "$opt/current")
    switch_to "$fetched"
    systemctl --quiet enable deployex.service deployex-applications.service
    if comes_up; then
        if [[ -n $previous && $previous != "$fetched" ]]; then
            ln -sfn "$previous" "$opt/.previous.new"
            mv -fT "$opt/.previous.new" "$opt/previous"
        fi
        prune
        return
    fi
    systemctl status --no-pager --lines 15 deployex.service >&2 || true
    if [[ -z $previous || ($previous == "$fetched" && -z $kept_environment) ]]; then
        fail "deployex does not come up: see above, and journalctl -u deployex"
    fi
    say "deployex does not come up: going back to $(basename "$previous") and the settings of before"
    switch_to "$previous"
    restore_environment
    comes_up || fail "neither the new deployex nor the one before comes up: see journalctl -u deployex"
    [[ $fetched == "$previous" ]] || rm -rf "$fetched"
    fail "deployex is $(basename "$previous") as before; the applications were not touched"
}
# Only the program that runs and the one before are kept.
prune() {
    local folder kept
    kept=" $(readlink -f "$opt/current") $(readlink -f "$opt/previous" 2>/dev/null || true) "
    for folder in "$opt"/versions/*/; do
        folder=${folder%/}
        [[ $kept == *" $folder "* ]] || rm -rf "$folder"
    done
    rm -rf "$opt"/.new.*
}

# ── Installing ──────────────────────────────────────────────────────────────────────────────────
make_user() {
    getent group "$user" >/dev/null || groupadd --system "$user"
    id -u "$user" >/dev/null 2>&1 || useradd --system --gid "$user" --home-dir /var/lib/deployex \
        --no-create-home --shell /usr/sbin/nologin --comment deployex "$user"
}
kept_environment=''
write_environment() {
    local new app
    new=$(mktemp "$etc/.env.XXXXXX")
    # A failure in it must be one of this program.
    environment >"$new" || {
        rm -f "$new"
        exit 1
    }
    chown "root:$user" "$new"
    chmod 640 "$new"
    if [[ -e $etc/deployex.env ]] && ! cmp -s "$new" "$etc/deployex.env"; then
        cp -p "$etc/deployex.env" "$etc/deployex.env.previous"
        kept_environment=$etc/deployex.env.previous
        say "the settings have changed: those of before are in $kept_environment"
    fi
    mv -f "$new" "$etc/deployex.env"
    app=$(setting app_name)
    # systemd makes the folder of the application's logs for deployex's user.
    mkdir -p /etc/systemd/system/deployex.service.d
    printf '[Service]\nLogsDirectory=%s\n' "$app" >/etc/systemd/system/deployex.service.d/logs.conf
    if [[ $(setting release_adapter s3) == local ]]; then
        local storage folder
        storage=$(setting release_path /srv/deployex)
        for folder in "dist/$app" "versions/$app/$(setting account_name prod)"; do
            [[ -d $storage/$folder ]] || install -d -m 755 "$storage/$folder"
        done
    fi
}
restore_environment() {
    if [[ -n $kept_environment ]]; then cp -p "$kept_environment" "$etc/deployex.env"; fi
}

case $operation in
    install)
        check_host
        read_config
        # A mistake in it ends here, before anything is touched.
        environment >/dev/null
        install -d -m 755 "$opt"
        fetch
        make_user
        install -d -m 750 -o root -g "$user" "$etc"
        write_environment
        activate
        say "$(basename "$fetched") runs; see: deployex status"
        ;;
    update)
        [[ -L $opt/current ]] || fail "deployex is not installed here: deployex.sh --install $config"
        check_host
        read_config
        fetch
        if [[ $(readlink -f "$opt/current") == "$fetched" ]] &&
            systemctl --quiet is-active deployex.service; then
            say "$(basename "$fetched") runs already"
            exit 0
        fi
        activate
        say "$(basename "$fetched") runs; the applications were not touched"
        ;;
    uninstall)
        # The applications end in order; nobody is left who could end them later.
        systemctl stop deployex-applications.service 2>/dev/null || true
        systemctl stop deployex.service deployex-certificates.timer 2>/dev/null || true
        if [[ -x $opt/bin/deployex && -e /var/lib/deployex/deployex.lock ]]; then
            "$opt/bin/deployex" stop --all >/dev/null || fail "something goes on: see above"
        fi
        systemctl --quiet disable "${units[0]}" "${units[1]}" "${units[3]}" 2>/dev/null || true
        for unit in "${units[@]}"; do rm -f "/etc/systemd/system/$unit"; done
        rm -f /etc/systemd/system/deployex.service.d/logs.conf
        rmdir /etc/systemd/system/deployex.service.d 2>/dev/null || true
        systemctl daemon-reload
        systemctl reset-failed "${units[@]}" 2>/dev/null || true
        rm -f /usr/local/bin/deployex /usr/local/sbin/deployex-certificates \
            /usr/local/share/man/man8/deployex{,-certificates}.8 \
            /usr/local/share/bash-completion/completions/deployex \
            /usr/local/share/zsh/site-functions/_deployex \
            /usr/local/share/fish/vendor_completions.d/deployex.fish \
            /etc/needrestart/conf.d/deployex.conf /etc/sudoers.d/deployex
        rm -rf "$opt"
        if [[ $purge == yes ]]; then
            rm -rf /var/lib/deployex /var/log/deployex "$etc"
            say "deployex and its data are removed; the logs of applications and the store are not"
        else
            say "deployex is removed; /var/lib/deployex, $etc and the logs are kept (--purge)"
        fi
        ;;
esac
