#!/usr/bin/env bash
# Makes .build/python, a virtual environment with what Tests/requirements.txt names: moto, which
# plays AWS, and botocore, which signs as AWS expects. With it in place this takes no time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=.build/python
wanted=Tests/requirements.txt
stamp=$folder/installed-requirements.txt
# Debian's own: one in somebody's home is of no use to tests that run as another user.
python=/usr/bin/python3
[[ -x $python ]] || python=python3
is_made() {
    [[ -x $folder/bin/moto_server ]] && cmp -s <(cat "$wanted" && echo "$python") "$stamp"
}
if is_made; then
    exit 0
fi
mkdir -p .build
exec 9>.build/python.lock
flock 9
if is_made; then
    exit 0
fi
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
cat "$wanted" - <<<"$python" >"$stamp"
