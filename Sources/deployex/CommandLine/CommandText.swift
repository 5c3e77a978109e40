// What `help` says of each command.

extension CommandName {
    var synopsis: String {
        switch self {
        case .start:
            "deployex [start] [--config FILE] [--sname NAME | --name NAME@HOST] [--cookie COOKIE]"
                + "\n       deployex start INSTANCE [--app APPLICATION] [--no-wait]"
        case .status: "deployex status [--json] [--node NODE]"
        case .versions: "deployex versions [--app APPLICATION] [--json]"
        case .deploy: "deployex deploy VERSION|auto [--app APPLICATION] [--no-wait]"
        case .rollback: "deployex rollback [--app APPLICATION] [--no-wait]"
        case .unghost: "deployex unghost VERSION [--app APPLICATION]"
        case .restart: "deployex restart INSTANCE [--app APPLICATION] [--no-wait]"
        case .stop: "deployex stop INSTANCE|--all [--app APPLICATION] [--no-wait]"
        case .logs: "deployex logs INSTANCE [--stderr] [-f] [-n N] [--raw] [--app APPLICATION]"
        case .remote: "deployex remote [INSTANCE] [--app APPLICATION]"
        case .ping: "deployex ping NODE"
        case .probe: "deployex probe NODE [--app APPLICATION] [--json]"
        case .rpc: "deployex rpc NODE MODULE FUNCTION [ARGUMENTS]"
        case .names: "deployex names [HOST]"
        case .epmd: "deployex epmd [--daemon]"
        case .completion: "deployex completion bash|zsh|fish"
        case .version: "deployex version"
        case .help: "deployex help [COMMAND]"
        }
    }

    /// The synopsis in one line, for errors.
    var usage: String {
        synopsis.replacing(/\n +/, with: " or ")
    }

    var summary: String {
        switch self {
        case .start: "run deployex in the foreground; with INSTANCE, start a stopped one"
        case .status: "show what runs: versions, processes, restarts"
        case .versions: "show what was deployed, and what is not deployed again"
        case .deploy: "deploy a version and stay with it; auto follows current.json again"
        case .rollback: "go back to the version before, and do not deploy this one again"
        case .unghost: "let a version be deployed again"
        case .restart: "restart an instance"
        case .stop: "stop an instance, or everything"
        case .logs: "show what an instance has printed"
        case .remote: "open the remote shell of an instance"
        case .ping: "check that a node answers"
        case .probe: "check a node over the distribution"
        case .rpc: "call a function on a node and print its result"
        case .names: "list the nodes registered with EPMD"
        case .epmd: "run an Erlang port mapper daemon"
        case .completion: "print a shell completion script"
        case .version: "print the version"
        case .help: "show this text, or what it says of a command"
        }
    }

    private static let instanceNote = """
        INSTANCE is a number, or a name such as counter-2. The command waits until it is seen in
        the status; --no-wait returns as soon as it has begun.
        """

    var details: String {
        switch self {
        case .start:
            """
            Reads DEPLOYEX_MONITORED_APP_NAME and the other DEPLOYEX_ variables, or the JSON file
            that --config or DEPLOYEX_CONFIG names (see docs/configuration.md), watches
            current.json in the storage folder, and deploys what it names.
            SIGTERM or Ctrl-C ends deployex, and the applications go on; the next start takes them
            over. `deployex stop --all` ends them.
            `deployex start INSTANCE` starts an instance that `deployex stop` has stopped.
            """
        case .status:
            """
            Asks the deployex node on this host (or --node) for its state. --json prints it as JSON.
            """
        case .versions:
            """
            The history of deployments, newest first, and the versions that are ghosted: not
            deployed again until they are unghosted or published with another hash.
            """
        case .deploy:
            """
            The package of VERSION must be in the storage. The version stays until another one is
            deployed or `deployex deploy auto`. It waits until all instances run it; exit status 1
            when it was taken back instead, with the reason.
            """
        case .rollback:
            "The version that runs is ghosted; the one before it comes to all instances."
        case .unghost:
            "VERSION may be deployed again, which happens at once where it is the one to run."
        case .restart:
            Self.instanceNote
        case .stop:
            Self.instanceNote
                + "\n--all stops every instance of every application, and then deployex itself."
        case .logs:
            """
            INSTANCE is a number, or a name such as counter-2. -f goes on until Ctrl-C, over
            restarts of the instance and rotations of its log.
            """
        case .remote:
            """
            Becomes `bin/APP remote` of the instance's own release, on this terminal; it has to run
            on the instance's host, as a user who may read the release. Without INSTANCE it is the
            first one that is connected.
            """
        case .ping:
            """
            Prints pong when NODE answers. NODE is NAME@HOST, NAME on this host, or NAME@HOST:PORT
            to reach a node that is not registered with EPMD.
            """
        case .probe:
            """
            One line (or JSON) with boot, application, memory, run queue, processes and atoms.
            Exit status 0: healthy. 1: it answers but is not healthy. 3: it does not answer.
            --app also demands that APPLICATION is started.
            """
        case .rpc:
            """
            ARGUMENTS is the list of arguments in Erlang syntax, [] when left out:
              deployex rpc peer@host lists reverse '[[1,2,3]]'
            What the function prints goes to stdout before the result. An exception prints the
            Erlang term on stderr and gives exit status 1.
            """
        case .names:
            "Asks EPMD on HOST (this host when left out); ERL_EPMD_PORT is honoured."
        case .epmd:
            """
            Serves ERL_EPMD_PORT (4369 by default) on ERL_EPMD_ADDRESS (all addresses by default).
            --daemon puts it into the background.
            """
        case .completion:
            """
            For bash: source <(deployex completion bash)
            The scripts complete commands, options, and the names of what runs, for which they ask
            deployex (`deployex completion instances|applications|versions`).
            """
        case .version, .help:
            ""
        }
    }
}
