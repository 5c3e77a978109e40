#!/usr/bin/env bash
# Writes Sources/CAssets/CAssets.c, which puts every file of Assets/ into the binary. Run it when a
# file is added or removed; a changed one is noticed by the build.
#
#   scripts/list-assets.sh            writes it
#   scripts/list-assets.sh --check    fails if it does not list the files that there are
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=Sources/CAssets/CAssets.c

list() {
    local file
    printf '%s\n' '// Written by scripts/list-assets.sh.' '#include "CAssets.h"' '' \
        '#pragma clang diagnostic ignored "-Wc23-extensions"' ''
    local files=()
    mapfile -t files < <(cd Assets && find . -type f ! -name '.*' -printf '%P\n' | LC_ALL=C sort)
    for file in "${files[@]}"; do
        if [[ $file != +([A-Za-z0-9._/-]) ]]; then
            printf 'list-assets: %s: letters, digits and ._/- only\n' "$file" >&2
            return 1
        fi
        printf 'static const unsigned char %s[] = {\n#embed "../../Assets/%s"\n};\n' \
            "$(symbol "$file")" "$file"
    done
    printf '\nstatic const struct cassets_content files[] = {\n'
    for file in "${files[@]}"; do
        printf '    {"%s", %s, sizeof %s},\n' "$file" "$(symbol "$file")" "$(symbol "$file")"
    done
    printf '};\n\nsize_t cassets_count(void) { return sizeof files / sizeof *files; }\n\n'
    printf 'struct cassets_content cassets_file(size_t index) { return files[index]; }\n'
}

symbol() {
    local name=${1//[\/]/__}
    name=${name//-/_d_}
    printf 'asset_%s' "${name//./_}"
}

shopt -s extglob
if [[ ${1:-} == --check ]]; then
    list | diff -u "$target" - || {
        printf 'list-assets: run scripts/list-assets.sh: other files are in Assets/\n' >&2
        exit 1
    }
else
    list >"$target.new"
    mv "$target.new" "$target"
fi
