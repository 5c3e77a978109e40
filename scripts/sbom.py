#!/usr/bin/env python3
"""Prints the software bill of materials of a deployex binary: CycloneDX 1.5 in JSON.

    scripts/sbom.py BINARY VERSION ARCHITECTURE SECONDS_SINCE_1970

What is compiled in is stated here; the libraries that it loads are read from the binary.
"""

import datetime
import hashlib
import json
import re
import subprocess
import sys
import uuid

# Whose they are, and the Debian packages that have them.
SHARED = {
    "libssl.so.3": ("openssl", "Apache-2.0", "libssl3 | libssl3t64"),
    "libcrypto.so.3": ("openssl", "Apache-2.0", "libssl3 | libssl3t64"),
    "libz.so.1": ("zlib", "Zlib", "zlib1g"),
    "libstdc++.so.6": ("gcc", "GPL-3.0-or-later WITH GCC-exception-3.1", "libstdc++6"),
    "libgcc_s.so.1": ("gcc", "GPL-3.0-or-later WITH GCC-exception-3.1", "libgcc-s1"),
    "libc.so.6": ("glibc", "LGPL-2.1-or-later", "libc6"),
    "libm.so.6": ("glibc", "LGPL-2.1-or-later", "libc6"),
    "ld-linux-x86-64.so.2": ("glibc", "LGPL-2.1-or-later", "libc6"),
    "ld-linux-aarch64.so.1": ("glibc", "LGPL-2.1-or-later", "libc6"),
}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def license_of(text):
    return [{"expression": text}] if " " in text else [{"license": {"id": text}}]


def static_parts():
    swift = re.search(r"Swift version ([0-9.]+)", output("swift", "--version")).group(1)
    for name, text in (
        ("swift-runtime", "The Swift runtime and standard library"),
        ("swift-corelibs-libdispatch", "Dispatch"),
        ("swift-foundation", "FoundationEssentials"),
    ):
        yield {
            "type": "library", "bom-ref": f"static:{name}", "name": name, "version": swift,
            "description": f"{text}, linked into the program",
            "licenses": license_of("Apache-2.0 WITH Swift-exception"),
            "purl": f"pkg:github/swiftlang/{'swift' if name == 'swift-runtime' else name}@{swift}",
        }


def shared_parts(binary):
    for name in sorted(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", binary))):
        project, terms, packages = SHARED[name]
        yield {
            "type": "library", "bom-ref": f"shared:{name}", "name": name, "group": project,
            "scope": "required", "licenses": license_of(terms),
            "description": "Loaded from the operating system",
            "properties": [{"name": "deployex:debian-packages", "value": packages}],
        }


def main():
    binary, version, architecture, seconds = sys.argv[1:]
    with open(binary, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    time = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    parts = [*static_parts(), *shared_parts(binary)]
    json.dump({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, 'deployex:' + digest)}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application", "bom-ref": "deployex", "name": "deployex",
                "version": version, "licenses": license_of("MIT"),
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "properties": [{"name": "deployex:architecture", "value": architecture}],
            },
        },
        "components": parts,
        "dependencies": [
            {"ref": "deployex", "dependsOn": [part["bom-ref"] for part in parts]},
        ],
    }, sys.stdout, indent=2)
    print()


main()
