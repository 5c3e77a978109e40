#!/usr/bin/env python3
"""Prints deployex(8): what `deployex help` says of each command, between what stands here.

    scripts/man-page.py DEPLOYEX DATE
"""

import subprocess
import sys


def helped(program, *words):
    run = subprocess.run([program, "help", *words], check=True, capture_output=True, text=True,
                         env={"LANG": "C.UTF-8"})
    return run.stdout.splitlines()


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def commands(overview):
    begin = overview.index("commands:") + 1
    for line in overview[begin:overview.index("", begin)]:
        yield line.split()[0]


def command_page(name, lines):
    """usage:, a summary, details, options: → one .SS each."""
    usage = [lines[0].removeprefix("usage: ")]
    rest = lines[1:]
    while rest and rest[0].startswith("       "):
        usage.append(rest.pop(0).strip())
    options = rest[rest.index("options:") + 1:] if "options:" in rest else []
    body = rest[:rest.index("options:")] if "options:" in rest else rest
    yield f".SS {roff(name)}"
    for form in usage:
        yield f".B {roff(form)}"
        yield ".br"
    yield ".PP"
    for line in "\n".join(body).strip().splitlines():
        if not line:
            yield ".PP"
        elif line.startswith("  "):
            yield ".br"
            yield roff(line.strip())
        else:
            yield roff(line)
    for line in options:
        # The name, at least two spaces, and the text.
        option, _, text = line.strip().partition("  ")
        yield ".TP"
        yield f".B {roff(option)}"
        yield roff(text.strip())


BEFORE = """.SH NAME
deployex \\- deploy, hot-upgrade and supervise Erlang and Elixir releases
.SH SYNOPSIS
.B deployex
.RI [ COMMAND ]
.RI [ OPTIONS ]
.SH DESCRIPTION
deployex watches a store of releases, deploys what is published there on the instances of this host,
one after the other, and restarts what crashes.
It is a node of the Erlang distribution.
.PP
Under systemd it is the service
.BR deployex.service .
SIGTERM ends deployex and leaves the applications running, so a restart of the service does not touch
them.
.B deployex\\-applications.service
stops them in order when it, or the host, is stopped.
.PP
The commands are for root, and for the user deployex:
.B sudo \\-u deployex deployex status
is what members of the group deployex run.
.SH COMMANDS"""

AFTER = """.SH EXIT STATUS
.TP
.B 0
It is done.
.TP
.B 1
The other side said no, or the effect did not come.
.TP
.B 2
The command line or the configuration is wrong.
.TP
.B 3
Nobody could be reached.
.SH ENVIRONMENT
The most usual variables of the server; the documentation has all of them.
.TP
.B DEPLOYEX_MONITORED_APP_NAME
The application.
.TP
.B DEPLOYEX_CLOUD_ENVIRONMENT
The name of the environment, such as prod.
.TP
.B DEPLOYEX_MONITORED_REPLICAS
How many instances run.
.TP
.B DEPLOYEX_MONITORED_APP_PORT
The port of the first instance.
.TP
.BR DEPLOYEX_STORAGE_ADAPTER ", " DEPLOYEX_STORAGE_PATH
Where releases are published.
.TP
.B DEPLOYEX_CONFIG
A JSON file with several applications.
.TP
.BR NOTIFY_SOCKET ", " WATCHDOG_USEC
Set by systemd, which is told how deployex is.
.SH FILES
.TP
.I /etc/deployex/deployex.env
The variables of the service.
.TP
.I /var/lib/deployex
Releases, versions, and what is known of the processes.
.TP
.I /var/log/deployex/deployex\\-stdout.log
Its own log; the warnings and errors among it are also in
.IR deployex\\-stderr.log .
.TP
.I /var/log/APP/APP\\-1\\-stdout.log
What the first instance of the application APP prints.
.SH SEE ALSO
.BR deployex\\-certificates (8),
.BR systemctl (1),
.BR journalctl (1),
.BR epmd (1)"""


def main():
    program, date = sys.argv[1:]
    overview = helped(program)
    version = overview[0].split()[1].rstrip(":")
    print(f'.TH DEPLOYEX 8 "{date}" "deployex {version}" "deployex"')
    print(BEFORE)
    for name in commands(overview):
        print("\n".join(command_page(name, helped(program, name))))
    print(AFTER)


main()
