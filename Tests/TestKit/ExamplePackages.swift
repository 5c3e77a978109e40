/// The packages of Examples/counter.
package enum ExamplePackages {
    /// The folder with `counter-VERSION.tar.gz`: the one that `DEPLOYEX_EXAMPLE_PACKAGES` names, or
    /// `.build/example-packages`, where they are built now if need be. It blocks meanwhile.
    package static func folder() throws -> String { try built.get() }

    private static let built: Result<String, any Error> = Result {
        if let given = ThisHost.variable("DEPLOYEX_EXAMPLE_PACKAGES") { return given }
        let folder = BuiltProgram.root + "/.build/example-packages"
        try Files.makeFolders(folder)
        // The script waits for another one that builds there, and builds nothing twice.
        try ChildProcess.run(
            "bash", [BuiltProgram.root + "/scripts/build-example.sh", folder],
            environment: ["PATH": ThisHost.path, "HOME": folder, "LANG": "C.UTF-8"],
            within: .seconds(300))
        return folder
    }
}
