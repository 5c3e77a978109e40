#!/usr/bin/env bash
# Fails on a link in a Markdown file of this repository whose file or heading is not there. Links to other hosts are
# not followed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
git ls-files -z --cached --others --exclude-standard '*.md' | xargs -0 python3 -c '
import os, re, sys

def slug(heading):
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")

def prose(path):
    return re.sub(r"^```.*?^```", "", open(path, encoding="utf-8").read(), flags=re.S | re.M)

def anchors(path):
    found, counts = set(), {}
    for heading in re.findall(r"^#{1,6} +(.*)$", prose(path), flags=re.M):
        name = slug(heading)
        count = counts.get(name, 0)
        counts[name] = count + 1
        found.add(name if count == 0 else f"{name}-{count}")
    return found

bad = 0
for path in sys.argv[1:]:
    for target in re.findall(r"(?<!\\)\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if not os.path.exists(file):
            print(f"{path}: {target}: there is no such file")
            bad += 1
        elif anchor and file.endswith(".md") and anchor not in anchors(file):
            print(f"{path}: {target}: there is no such heading")
            bad += 1
sys.exit(bad > 0)
'
