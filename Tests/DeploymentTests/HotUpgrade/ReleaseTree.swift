import Foundation
import Supervisor
import TestKit
import Testing

/// A temporary folder with releases in it, made of small files of the right shape.
final class ReleaseTree: Sendable {
    private let folder = TemporaryFolder()
    var root: String { folder.path }
    let files = HostFileSystem()

    var current: String { root + "/current" }
    var staged: String { root + "/new" }
    var package: String { root + "/counter.tar.gz" }

    /// Writes a file with the folders above it.
    func write(_ path: String, _ text: String) throws {
        try write(path, Array(text.utf8))
    }

    func write(_ path: String, _ bytes: [UInt8]) throws {
        // Not through `files`: nothing here has to be durable.
        let url = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func read(_ path: String) throws -> String {
        String(decoding: try files.read(path, limit: 1 << 24), as: UTF8.self)
    }

    func exists(_ path: String) throws -> Bool {
        try files.status(path) != nil
    }

    /// A release like that of `mix release`: the applications are given as `name-version`.
    func release(
        _ folder: String, _ version: String, erts: String = "13.1.5",
        applications: [String] = ["kernel-8.5.3", "stdlib-4.2", "elixir-1.14.0", "sasl-4.2"],
        counter: String? = nil
    ) throws {
        let all = applications + ["counter-\(counter ?? version)"]
        let list = all.map { application in
            let parts = application.split(separator: "-")
            return "{\(parts[0]),\"\(parts[1])\",permanent}"
        }
        let rel = """
            %% coding: utf-8
            {release,{"counter","\(version)"},{erts,"\(erts)"},
             [\(list.joined(separator: ",\n  "))]}.

            """
        try write("\(folder)/releases/\(version)/counter.rel", rel)
        try write("\(folder)/releases/\(version)/sys.config", "[{counter,[{greeting,none}]}].\n")
        try write("\(folder)/releases/start_erl.data", "\(erts) \(version)")
        try write("\(folder)/erts-\(erts)/bin/erl", "")
        for application in all {
            let name = application.prefix { $0 != "-" }
            try write("\(folder)/lib/\(application)/ebin/\(name).app", "")
        }
    }

    /// 0.1.1 in `current/`, and 0.1.2 with an appup in `new/`.
    func hotUpgrade() throws {
        try release(current, "0.1.1")
        try release(staged, "0.1.2")
        try write(appup, #"{"0.1.2",[{"0.1.1",[]}],[{"0.1.1",[]}]}."#)
        try write(package, "package")
    }

    var appup: String { staged + "/lib/counter-0.1.2/ebin/counter.appup" }
}
