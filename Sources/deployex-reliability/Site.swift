internal import Glibc
internal import TestKit
internal import Transport

/// A site with an EPMD of its own: what ``DeployexSite`` has, and what else is needed to run a
/// deployex there.
@dynamicMemberLookup
struct Site: Sendable {
    let deployex: String
    let loop: EventLoop
    let options: MeasureOptions
    private let site: DeployexSite
    private let epmd: ChildProcess

    /// - Parameter instances: how many there may be at most.
    init(
        _ options: MeasureOptions, application: String = "counter", instances: Int,
        on loop: EventLoop
    ) throws {
        self.loop = loop
        self.options = options
        let path = options.deployex ?? BuiltProgram.beside("deployex")
        guard let real = realpath(path, nil) else {
            throw TestFailure("\(path) is missing: `make build` makes it, or say --deployex")
        }
        defer { free(real) }
        deployex = String(cString: real)
        site = try DeployexSite("reliability", application: application, instances: instances)
        Leftovers.add(path: site.folder)
        epmd = try .launch(
            deployex, ["epmd"], environment: site.environment, output: site.folder + "/epmd.log")
    }

    subscript<Value>(dynamicMember path: KeyPath<DeployexSite, Value>) -> Value {
        site[keyPath: path]
    }

    func environment(replicas: Int, adding variables: [String: String]) -> [String: String] {
        site.environment.merging(site.application(replicas: replicas)) { $1 }
            .merging(variables) { $1 }
    }

    /// Puts a version of the example into the storage.
    func place(_ version: String) throws { try site.place(version, from: options.packages) }

    func publish(_ version: String) throws { try site.publish(version) }

    /// Ends what still runs here, and EPMD, and removes the folder.
    func end() async {
        epmd.kill()
        let folder = site.folder
        await offload { DeployexSite.remove(folder) }
        Leftovers.remove(path: folder)
    }
}
