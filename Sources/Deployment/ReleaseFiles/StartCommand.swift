internal import Supervisor

/// The command that starts a release in the foreground, so that it leads its session and ends with
/// it.
///
/// | release in the folder | command |
/// |---|---|
/// | made by `mix release`, or of an unknown kind | `bin/APP start` |
/// | relx's extended script, as rebar3 makes it | `bin/APP foreground` |
/// | relx's plain script | `bin/APP -noinput` |
/// | a shipment, as `gleam export erlang-shipment` makes it | `entrypoint.sh run` |
///
/// The `start` of relx's extended script makes the release a daemon and ends. The plain script
/// hands all arguments to the virtual machine, whose shell would end with the input.
///
/// Source: the templates `extended_bin` and `bin` of relx; Gleam's `erlang_shipment`.
package struct StartCommand: Equatable, Sendable {
    /// The path within the release's folder.
    package var program: String
    package var arguments: [String]

    package init(program: String, arguments: [String]) {
        self.program = program
        self.arguments = arguments
    }

    /// Whether it starts a shipment, which has no boot file and gives its node no name.
    package var isShipment: Bool { program == Self.shipmentProgram }

    static let shipmentProgram = "entrypoint.sh"

    /// The flags that make a shipment a node: no start script of it does. The cookie does not come
    /// as a flag, which everybody on the host could read: the node takes it from its environment
    /// before it runs the shipment's own code.
    static func shipmentFlags(_ naming: NodeNaming, _ instance: InstanceName) -> String {
        "-\(naming.kind) \(naming.nodeName(of: instance)) -eval "
            + #"'erlang:set_cookie(list_to_atom(os:getenv("RELEASE_COOKIE")))'"#
    }

    /// The rest of a longer script is not examined.
    private static let maximumByteCount = 1 << 20

    /// Finds the command that starts the release of `application` in `folder`. It blocks.
    static func find(
        in folder: String, application: String, files: any FileSystem
    ) throws(FileSystemError) -> StartCommand {
        let program = "bin/\(application)"
        if try files.status("\(folder)/\(program)") == nil,
            try files.status("\(folder)/\(shipmentProgram)")?.kind == .file
        {
            return StartCommand(program: shipmentProgram, arguments: ["run"])
        }
        let script: [UInt8]
        do throws(FileSystemError) {
            script = try files.read("\(folder)/\(program)", limit: maximumByteCount)
        } catch {
            // A large program, or none: its start will show that.
            if case .stopped = error { throw error }
            script = []
        }
        return StartCommand(program: program, arguments: arguments(of: script))
    }

    /// The arguments that keep a program with this text in the foreground.
    static func arguments(of script: [UInt8]) -> [String] {
        guard script.starts(with: Array("#!".utf8)) else { return ["start"] }
        let text = String(decoding: script, as: UTF8.self)
        if text.contains("relx_usage"), text.contains("foreground") { return ["foreground"] }
        // The last line of a plain script. A script that examines its arguments is not plain.
        let hands = ["exec \"$BINDIR/erlexec\" \"$@\"", "exec $BINDIR/erlexec $ERL_OPTS"]
        let isPlain =
            text.contains("REL_VSN=") && hands.contains(where: text.contains)
            && !text.contains("case \"$1\"") && !text.contains("case $1")
        return isPlain ? ["-noinput"] : ["start"]
    }
}
