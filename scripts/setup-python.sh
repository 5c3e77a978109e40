#!/usr/bin/env bash
# Makes .build/python, a virtual environment with what Tests/requirements.txt names: moto, which
# plays AWS, and botocore, which signs as AWS expects. With it in place this takes no time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=.build/python
wanted=Tests/requirements.txt
stamp=$folder/installed-requirements.txt
if [[ -x $folder/bin/moto_server ]] && cmp -s "$wanted" "$stamp"; then
    exit 0
fi
mkdir -p .build
exec 9>.build/python.lock
flock 9
if [[ -x $folder/bin/moto_server ]] && cmp -s "$wanted" "$stamp"; then
    exit 0
fi
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
cp "$wanted" "$stamp"
