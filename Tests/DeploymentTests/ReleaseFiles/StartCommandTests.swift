import Supervisor
import TestKit
import Testing

@testable import Deployment

@Suite struct StartCommandTests {
    @Test func `a shipment's node is named as deployex's is, and reads its cookie`() {
        let instance = InstanceName(app: "shop", number: 2)
        let cookie = #" -eval 'erlang:set_cookie(list_to_atom(os:getenv("RELEASE_COOKIE")))'"#
        #expect(StartCommand.shipmentFlags(.short, instance) == "-sname shop-2" + cookie)
        #expect(
            StartCommand.shipmentFlags(.long(host: "server.example.com"), instance)
                == "-name shop-2@server.example.com" + cookie)
    }

    @Test func `what a script says tells how it stays in the foreground`() {
        let texts: [(String, [String])] = [
            // As mix release, relx with its extended script, and relx with its plain one write them.
            (
                "#!/bin/sh\nset -e\ncase $1 in\n  start)\n    start \"elixir\" --no-halt\n",
                ["start"]
            ),
            (
                "#!/bin/sh\nREL_VSN=\"0.1.0\"\nrelx_usage() {\n        foreground)\n"
                    + "        exec \"$BINDIR/erlexec\" $FOREGROUNDOPTIONS \\\n", ["foreground"]
            ),
            (
                "#!/bin/sh\nset -e\nREL_VSN=\"0.1.0\"\nset -- \"$@\" $ARGS\n"
                    + "exec \"$BINDIR/erlexec\" \"$@\"\n", ["-noinput"]
            ),
            ("#!/bin/sh\nexec \"$BINDIR/erlexec\" \"$@\"\n", ["start"]),
            ("#!/bin/sh\necho foreground\n", ["start"]),
            ("\u{7F}ELF relx_usage foreground", ["start"]), ("", ["start"]),
        ]
        for (text, arguments) in texts {
            #expect(StartCommand.arguments(of: Array(text.utf8)) == arguments, "\(text)")
        }
    }

    @Test func `a shipment is started by its entrypoint, and a release by its own name`() throws {
        let folder = TemporaryFolder()
        func found() throws -> StartCommand {
            try .find(in: folder.path, application: "shop", files: HostFileSystem())
        }
        #expect(try found() == StartCommand(program: "bin/shop", arguments: ["start"]))
        try folder.write([], to: "entrypoint.sh")
        #expect(try found() == StartCommand(program: "entrypoint.sh", arguments: ["run"]))
        try makeFolders(folder / "bin")
        try folder.write(Array("#!/bin/sh\nrelx_usage foreground".utf8), to: "bin/shop")
        #expect(try found() == StartCommand(program: "bin/shop", arguments: ["foreground"]))
    }
}
