#!/usr/bin/env python3
"""Reads the YAML configuration of the Elixir Deployex, and prints deployex's own in JSON.

    migrate-config.py deployex.yaml > deployex.json

What has no equivalent is named on stderr, a line each. It changes nothing. It needs python3-yaml.
Exit status: 0, or 1 if the file cannot be used.
"""
import json
import sys

try:
    import yaml
except ImportError:
    sys.exit("migrate-config: PyYAML is missing: apt-get install python3-yaml")

# These mean nothing here, and nothing is lost without them.
NEEDLESS = {"version", "os_target", "otp_version", "metrics_retention_time_ms",
            "logs_retention_time_ms", "install_path", "var_path"}
THRESHOLDS = {"memory": "memory", "atom": "atoms", "process": "processes", "port": "ports"}


def note(text):
    print(f"migrate-config: {text}", file=sys.stderr)


def text(value):
    """A value of a variable, as the Elixir Deployex writes it."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def seconds(milliseconds):
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000


def thresholds(entries, place):
    found = {}
    for entry in entries or []:
        kind = THRESHOLDS.get(entry.get("type"))
        if kind is None:
            note(f"{place}: monitoring of {entry.get('type')} is not there")
            continue
        limits = {"warn": entry.get("warning_threshold_percent", 75)}
        if entry.get("enable_restart"):
            limits["restart"] = entry.get("restart_threshold_percent", 90)
        found[kind] = limits
    return found


def storage(old):
    adapter = old.get("release_adapter", "s3")
    if adapter == "local":
        return {"adapter": "local", "path": old.get("release_path", "/srv/deployex")}
    if adapter != "s3":
        note(f"release_adapter {adapter} is not there: copy what is published into a bucket of S3")
    return {"adapter": "s3", **({"bucket": old["release_bucket"]} if "release_bucket" in old else {})}


def application(old, host):
    name = old["name"]
    new = {"name": name, "replicas": old.get("replicas", 3), "storage": storage(host)}
    for port in old.get("replica_ports") or [{"key": "PORT", "base": old.get("initial_port", 4000)}]:
        if port["key"] == "PORT":
            new["first_port"] = port["base"]
        else:
            note(f"{name}: replica_ports {port['key']}: an instance gets PORT only; derive the other from it")
    environment = {entry["key"]: text(entry["value"]) for entry in old.get("env") or []}
    if environment.pop("PORT", None) is not None:
        note(f"{name}: env PORT: deployex itself sets it, from first_port")
    if environment:
        new["environment"] = environment
    for key, section, setting in [("deploy_rollback_timeout_ms", "rollback", "timeout"),
                                  ("deploy_schedule_interval_ms", "timings", "poll_interval")]:
        value = old.get(key, host.get(key))
        if value is not None:
            new[section] = {setting: seconds(value)}
    limits = {**thresholds(host.get("monitoring"), "the host"), **thresholds(old.get("monitoring"), name)}
    if limits:
        new["thresholds"] = limits
    known = {"name", "replicas", "replica_ports", "initial_port", "env", "monitoring", "language",
             "deploy_rollback_timeout_ms", "deploy_schedule_interval_ms"}
    for key in sorted(set(old) - known):
        note(f"{name}: {key} is not known here")
    return new


def configuration(old):
    new = {"cloud_environment": old.get("account_name", "prod")}
    dashboard = {key: old[other] for key, other in [("host", "hostname"), ("port", "port")] if other in old}
    if dashboard:
        new["dashboard"] = dashboard
    if "aws_region" in old:
        new["storage"] = {"region": old["aws_region"]}
    secrets = old.get("secrets_adapter", "aws")
    if secrets == "aws":
        new["secrets"] = {"adapter": "aws", **({"name": old["secrets_path"]} if "secrets_path" in old else {})}
    elif secrets == "env":
        new["secrets"] = {"adapter": "env"}
    else:
        note(f"secrets_adapter {secrets} is not there: name a file in cookie_file")
        new["secrets"] = {"adapter": "env"}
    if "otp_tls_certificates" in old:
        note(f"otp_tls_certificates {old['otp_tls_certificates']}: set DEPLOYEX_OTP_TLS_CERT_PATH to it")
    new["applications"] = [application(entry, old) for entry in old["applications"]]
    # What one host sets for all has been given to each application.
    known = NEEDLESS | {"account_name", "hostname", "port", "aws_region", "secrets_adapter", "secrets_path",
                        "release_adapter", "release_bucket", "release_path", "otp_tls_certificates",
                        "google_credentials", "monitoring", "applications", "deploy_rollback_timeout_ms",
                        "deploy_schedule_interval_ms"}
    for key in sorted(set(old) - known):
        note(f"{key} is not known here")
    note("a deployex that runs as root wants a `user` for each application")
    return new


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 1)
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            old = yaml.safe_load(file)
        if not isinstance(old, dict) or not isinstance(old.get("applications"), list):
            sys.exit(f"migrate-config: {sys.argv[1]}: no list of applications")
        new = configuration(old)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # An error of YAML has several lines.
        sys.exit(f"migrate-config: {sys.argv[1]}: " + " ".join(str(error).split()))
    except (KeyError, TypeError, AttributeError) as error:
        sys.exit(f"migrate-config: {sys.argv[1]}: not as Deployex wants it: {error!r}")
    json.dump(new, sys.stdout, indent=2, ensure_ascii=False)
    print()


main()
