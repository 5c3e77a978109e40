/// The releases of Tests/Releases: of shapes that the example does not have.
package enum TestReleases {
    /// The folder with the package of a project, which is built now if need be. It blocks meanwhile.
    package static func folder(with project: String) throws -> String {
        let folder = BuiltProgram.root + "/.build/test-releases"
        try Files.makeFolders(folder)
        // The script waits for another one that builds there, and builds nothing twice.
        try ChildProcess.run(
            "bash", [BuiltProgram.root + "/scripts/build-test-releases.sh", folder, project],
            environment: ["PATH": ThisHost.path, "HOME": folder, "LANG": "C.UTF-8"],
            within: .seconds(300))
        return folder
    }
}
