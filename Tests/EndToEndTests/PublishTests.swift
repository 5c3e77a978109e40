import TestKit
import Testing

/// `deployex publish` with a real package; no deployex runs.
@Suite struct PublishTests {
    private let folder = TemporaryFolder("publish")

    private func publish(_ arguments: String...) throws -> (status: Int32?, output: String) {
        let result = try ChildProcess(
            BuiltProgram.deployex, ["publish"] + arguments,
            environment: [
                "PATH": ThisHost.path, "HOME": folder.path,
                "DEPLOYEX_STORAGE_PATH": folder("store"),
            ],
            output: .pipe
        ).wait()
        return (result.status, result.output)
    }

    private var current: String? { folder.text("store/versions/counter/local/current.json") }

    @Test func `a package is published with what its name says`() throws {
        let package = try ExamplePackages.folder() + "/counter-0.1.0.tar.gz"
        let done = try publish(package, "--pre-command", #"eval "A.b""#, "--pre-command", "eval C")
        #expect(done.status == 0, "\(done.output)")
        let commands = #","pre_commands":["eval \"A.b\"","eval C"],"#
        let written = try #require(current)
        #expect(written.hasPrefix(#"{"version":"0.1.0","hash":""#))
        #expect(written.contains(commands))
        #expect(written.contains(#""sha256":""#))
        #expect(Files.exists(folder("store/dist/counter/counter-0.1.0.tar.gz")))
        // Again, without the commands.
        #expect(try publish(package, "--hash", "mine").status == 0)
        #expect(current?.hasPrefix(#"{"version":"0.1.0","hash":"mine","sha256":""#) == true)
    }

    @Test func `a package that is not what it is said to be is not published`() throws {
        let packages = try ExamplePackages.folder()
        let package = packages + "/counter-0.1.0.tar.gz"
        for (arguments, reason) in [
            ([package, "--version", "9"], "names version 0.1.0, not 9"),
            ([package, "--app", "other"], "no executable bin/other, but counter"),
            ([folder("counter-0.1.0.tar.gz")], "no package at"),
        ] {
            let refused = try ChildProcess(
                BuiltProgram.deployex, ["publish"] + arguments,
                environment: [
                    "PATH": ThisHost.path, "DEPLOYEX_STORAGE_PATH": folder("store"),
                ], output: .pipe
            ).wait()
            #expect(refused.status == 1)
            #expect(refused.output.contains(reason), "\(refused.output)")
        }
        #expect(!Files.exists(folder("store")))
    }

    @Test func `a published version keeps its bytes, unless it is forced`() throws {
        let package = try ExamplePackages.folder() + "/counter-0.1.0.tar.gz"
        try Files.makeFolders(folder("store/dist/counter"))
        folder.write("another build", "store/dist/counter/counter-0.1.0.tar.gz")
        let refused = try publish(package)
        #expect(refused.status == 1)
        #expect(refused.output.contains("published already with other bytes"))
        #expect(current == nil)
        #expect(folder.text("store/dist/counter/counter-0.1.0.tar.gz") == "another build")
        #expect(try publish(package, "--force").status == 0)
        #expect(current != nil)
    }
}
