import Glibc
import Supervisor
import TestKit
import Testing

@testable import Deployment

/// Packages made by the programs that make them in earnest.
@Suite struct RealArchiveTests {
    let folder: TemporaryFolder
    let long = String(repeating: "long-name-", count: 12)

    init() throws {
        folder = TemporaryFolder()
        for path in ["bin", "releases/1.0.0", "lib/\(long)/\(long)"] {
            try makeFolders(folder / "release/\(path)")
        }
        try folder.write(Array("#!/bin/sh\n".utf8), to: "release/bin/app")
        #expect(chmod(folder / "release/bin/app", 0o755) == 0)
        try folder.write(Array("13.1 1.0.0".utf8), to: "release/releases/start_erl.data")
        try folder.write([], to: "release/releases/1.0.0/empty")
        let noise = (0..<300_001).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
        try folder.write(noise, to: "release/lib/\(long)/\(long)/file")
        try folder.write([1], to: "release/lib/ünïcode €")
    }

    func addLinks() {
        #expect(symlink("../../bin/app", folder / "release/lib/\(long)/link") == 0)
        #expect(symlink("\(long)/\(long)/file", folder / "release/lib/long") == 0)
        #expect(link(folder / "release/bin/app", folder / "release/lib/hard") == 0)
    }

    /// Unpacks and compares with the folder from which the package was made.
    func expectSame(_ package: String) async throws {
        let new = folder / "new"
        _ = try await PackageUnpacker(files: HostFileSystem()).unpack(
            package, into: new, application: "app", version: "1.0.0")
        try run(
            "diff", "--recursive", "--no-dereference", "--exclude=.deployex.json",
            folder / "release", new)
        for path in ["bin/app", "releases/start_erl.data", "lib/\(long)/\(long)/file"] {
            let original = try status(folder / "release/\(path)")
            #expect(try status(new + "/" + path).st_mode == original.st_mode)
            #expect(try status(new + "/" + path).st_mtim.tv_sec == original.st_mtim.tv_sec)
        }
    }

    @Test(arguments: ["gnu", "oldgnu", "pax", "posix"], [".", "bin lib releases"])
    func `tar's formats are unpacked as tar does`(format: String, names: String) async throws {
        addLinks()
        let package = folder / "package"
        try run(
            "sh", "-c", "tar --format=\(format) -C release -czf package \(names)",
            in: folder.path)
        try await expectSame(package)
        #expect(
            try status(folder / "new/lib/hard").st_ino == status(folder / "new/bin/app").st_ino)
    }

    @Test(arguments: ["ustar", "v7"])
    func `tar's old formats are unpacked`(format: String) async throws {
        // They have no room for the longest names.
        try HostFileSystem().removeTree(folder / "release/lib/\(long)")
        try makeFolders(folder / "release/lib/short")
        try folder.write([1, 2, 3], to: "release/lib/short/file")
        try run(
            "tar", "--format=\(format)", "-C", "release", "-czf", "package", ".", in: folder.path)
        _ = try await PackageUnpacker(files: HostFileSystem()).unpack(
            folder / "package", into: folder / "new", application: "app", version: "1.0.0")
        try run("diff", "-r", "--exclude=.deployex.json", "release", "new", in: folder.path)
    }

    @Test func `two gzip members are one package`() async throws {
        try run(
            "sh", "-c",
            "tar -C release -cf all . && head -c 5000 all | gzip -9 > package "
                + "&& tail -c +5001 all | gzip -1 >> package", in: folder.path)
        try await expectSame(folder / "package")
    }

    @Test func `a sparse file is refused`() async throws {
        let package = folder / "package"
        for format in ["gnu", "pax"] {
            try run("truncate", "-s", "1M", folder / "release/sparse")
            try run(
                "tar", "--format=\(format)", "--sparse", "-C", "release", "-czf", "package", ".",
                in: folder.path)
            let error = await #expect(throws: UnpackError.self) {
                try await PackageUnpacker(files: HostFileSystem()).unpack(
                    package, into: folder / "new", application: "app", version: "1.0.0")
            }
            guard case .malformed(.unsupportedType(_, "a sparse file")) = error?.reason else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    /// As `mix release` does it: each name with its path, links followed, a file of an overlay once
    /// more by its own name.
    @Test func `erl_tar's packages are unpacked`() async throws {
        try run(
            "erl", "-noshell", "-eval",
            """
            F = [{N, "release/" ++ N} || N <- ["bin", "lib", "releases", "bin/app"]],
            ok = erl_tar:create("package", F, [dereference, compressed]), halt().
            """, in: folder.path)
        try await expectSame(folder / "package")
    }
}
