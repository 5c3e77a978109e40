/// What people type who know another tool, and what does it here.
enum ForeignWords {
    /// The answer to a word that is a command of pm2, systemctl, docker or a release, and none of
    /// ours.
    static func answer(to word: String) -> String? {
        answers.first { $0.words.contains(word) }?.answer
    }

    private static let answers: [(words: Set<String>, answer: String)] = [
        (
            ["ps", "is-active", "list-units", "running_applications"],
            "`deployex status` shows what runs"
        ),
        (
            ["show", "info", "inspect", "desc", "prettylist", "jlist", "cat"],
            "`deployex describe INSTANCE` says everything about an instance, and "
                + "`deployex status --json` is for programs"
        ),
        (
            ["log", "tail", "journal", "journalctl", "attach"],
            "`deployex logs [INSTANCE] -f` shows what is printed"
        ),
        (["top", "stats", "dash", "dashboard", "monitor"], "`deployex monit` shows what runs"),
        (
            ["reload", "gracefulReload", "try-restart", "reload-or-restart", "recreate"],
            "`deployex restart all` restarts one instance after the other, and "
                + "`deployex deploy VERSION` upgrades hot where the release can"
        ),
        (
            ["delete", "del", "rm", "remove", "down", "pause"],
            "`deployex stop APPLICATION` stops an application, which stays stopped; it goes from "
                + "`status` when it goes from the configuration"
        ),
        (
            ["kill", "quit", "halt", "shutdown", "terminate"],
            "`deployex stop --all` stops every instance, and then deployex"
        ),
        (
            ["up", "run", "daemon", "daemon_iex", "foreground", "resurrect", "unpause"],
            "`deployex` runs in the foreground and starts what is published, and "
                + "`deployex start INSTANCE` starts what `stop` has stopped"
        ),
        (
            [
                "save", "dump", "startup", "unstartup", "enable", "disable", "install",
                "daemon-reload",
            ],
            "nothing needs to be saved: deployex finds its instances again. A systemd unit starts it "
                + "when the host boots (see README.md)"
        ),
        (
            ["exec", "shell", "sh", "console", "iex", "remsh", "remote_console", "connect"],
            "`deployex remote INSTANCE` opens its shell"
        ),
        (
            ["eval", "call", "trigger"],
            "`deployex rpc NODE MODULE FUNCTION [ARGUMENTS]` calls a function"
        ),
        (
            ["scale"],
            "the configuration says how many instances there are (DEPLOYEX_MONITORED_REPLICAS, "
                + "`replicas`)"
        ),
        (
            ["upgrade", "update", "pull", "publish", "release"],
            "`deployex deploy VERSION` deploys a version, and `deployex deploy auto` the published "
                + "one"
        ),
        (["undo", "revert", "downgrade"], "`deployex rollback` goes back to the version before"),
        (["history", "releases", "images"], "`deployex versions` shows what was deployed"),
        (["health", "check", "doctor"], "`deployex probe NODE` asks a node for its health"),
        (
            ["flush", "reloadLogs", "rotate"],
            "deployex rotates the logs itself; `kill -HUP` makes it open its own anew"
        ),
        (
            ["env", "config", "set", "get", "conf"],
            "settings are variables, or a file that --config names: see docs/configuration.md"
        ),
        (["pid"], "`deployex describe INSTANCE` says its process"),
    ]
}
