import FoundationEssentials
import Glibc
import TestKit
import Testing

/// Publications that cannot be used: a clear line, nothing touched, and the next good one comes at
/// once. The catalog is polled once a minute here, so that whatever comes sooner comes by inotify.
@Suite(
    .serialized,
    .sharedWorld(
        .init(epmd: .deployex, variables: ["DEPLOYEX_POLL_INTERVAL": "60"]), running: "0.1.0"))
struct PublicationTests {
    let world: DeployexWorld

    init() throws {
        world = try .current
    }

    // MARK: current.json

    @Test(arguments: [
        (#"{"version":"0.2.0","ha"#, "it ends too early, as if half written"),
        ("", "it is empty"),
        (#"{"hash":"local"}"#, "it has no `version`"),
        (#"{"version":2,"hash":"local"}"#, "its `version` is a number"),
        (#"["0.2.0"]"#, "it is an array, not an object"),
        ("0.2.0", "it is not JSON"),
        (#"{"version":"../0.2.0","hash":"local"}"#, "its version `../0.2.0` must be"),
        (#"{"version":"0.2.0/../../x","hash":"local"}"#, "must be letters, digits"),
        (#"{"version":"0.2.0","pre_commands":"eval"}"#, "its `pre_commands` is a string"),
    ])
    func `a current.json that cannot be used is one clear line and changes nothing`(
        text: String, complaint: String
    ) async throws {
        let before = try #require(await world.answer(1))
        let mark = await world.logMark
        try await world.publish(catalog: text)
        let line = try await world.waitForLog(complaint, after: mark)
        #expect(line.hasPrefix("[error] \(world.catalogPath) cannot be used: "))
        #expect(await world.answer(1) == before)
        try await expectNothingStaged()
    }

    @Test func `a half-written current.json is used as soon as it is whole`() async throws {
        let before = try #require(await world.answer(1))
        let mark = await world.logMark
        try await world.publish(catalog: #"{"version":"9.1.0","#)
        try await world.waitForLog("half written", after: mark)
        // The same file goes on being written, as by a shell's `>`.
        try await world.appendToCatalog(#""hash":"local"}"#)
        try await world.waitForLog("to: 9.1.0.", after: mark, for: .seconds(3))
        #expect(await world.answer(1) == before)
    }

    @Test func `a current.json that is missing, or no file, changes nothing`() async throws {
        try await world.bring(to: "0.1.0")
        let before = try #require(await world.answer(1))
        for kind in ["a folder", "a FIFO"] {
            // Another complaint in between, as one that repeats itself is told once.
            let start = await world.logMark
            try await world.publish(catalog: #"{"version":"\#(kind)"}"#)
            try await world.waitForLog("its version `\(kind)` must be", after: start)
            let mark = await world.logMark
            try await world.removeCatalog()
            if kind == "a FIFO" {
                #expect(mkfifo(world.catalogPath, 0o600) == 0)
            } else {
                try FileManager.default.createDirectory(
                    atPath: world.catalogPath, withIntermediateDirectories: false)
            }
            let line = try await world.waitForLog("is not a regular file", after: mark)
            #expect(line.hasPrefix("[error] \(world.catalogPath) "))
            try await world.removeCatalog()
        }
        #expect(await world.answer(1) == before)
        #expect(try await world.status()?.apps.first?.targetVersion == "0.1.0")
        try await expectNothingStaged()
    }

    // MARK: Packages

    @Test(arguments: BadPackage.allCases)
    func `a package that cannot be used is one clear line, and leaves nothing behind`(
        package: BadPackage
    ) async throws {
        let before = try #require(await world.answer(1))
        let mark = await world.logMark
        try await world.place(package)
        try await world.publish(
            catalog: #"{"version":"\#(package.version)","hash":"local"}"#)
        let line = try await world.waitForLog(
            "counter-\(package.version).tar.gz", "next attempt in 5 s", after: mark)
        #expect(line.hasPrefix("[error] "))
        #expect(line.contains(package.complaint))
        #expect(await world.answer(1) == before)
        #expect(await world.bootVersion(world.service(1, "current")) == before.version)
        try await expectNothingStaged()
        #expect(!FileManager.default.fileExists(atPath: world.service(1) + "/../escaped"))
        #expect(!FileManager.default.fileExists(atPath: world.service(1, "escaped")))
        #expect(!FileManager.default.fileExists(atPath: world.folder + "/escaped"))
    }

    @Test func `a package that comes after its announcement, or in two halves, is taken at once`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        let mark = await world.logMark
        try await world.publish(catalog: #"{"version":"0.1.1","hash":"local"}"#)
        try await world.waitForLog("no package at", "next attempt in 5 s", after: mark)
        let bytes = Files.bytes(try ExamplePackages.folder() + "/counter-0.1.1.tar.gz")
        try await world.place(bytes: Array(bytes.prefix(bytes.count / 2)), version: "0.1.1")
        // Two failures in a row, yet the next attempt does not wait for ten seconds.
        try await world.waitForLog(
            "its gzip data ends too early", "next attempt in 5 s", after: mark, for: .seconds(4))
        try await world.append(bytes.suffix(from: bytes.count / 2), toPackage: "0.1.1")
        try await world.waitForLog("Unpacked", "counter-0.1.1", after: mark, for: .seconds(4))
        try await world.waitUntilAllRun("0.1.1")
        try await expectNothingStaged()
    }

    @Test func `a good publication after bad ones is deployed at once`() async throws {
        try await world.place(BadPackage.cut)
        let mark = await world.logMark
        try await world.publish(
            catalog: #"{"version":"\#(BadPackage.cut.version)","hash":"local"}"#)
        try await world.waitForLog("next attempt in", after: mark)
        try await world.publish("0.2.0")
        // Far sooner than a minute.
        try await world.waitForLog(
            "Update is needed at instance: 1", "to: 0.2.0.", after: mark, for: .seconds(3))
        try await world.waitUntilAllRun("0.2.0")
        try await expectNothingStaged()
    }

    private func expectNothingStaged() async throws {
        let expected: Set = ["current", "previous"]
        try await world.waitForServiceEntries(within: expected)
    }
}

/// Packages that must not be deployed, each under a version of its own.
enum BadPackage: String, CaseIterable, Sendable {
    case missing, empty, noGzip, cut, parentFolder, absolutePath, linkOut, device
    case otherApplication, otherVersion

    var version: String { "9.0.\(Self.allCases.firstIndex(of: self) ?? 0)" }

    /// What the log says of it.
    var complaint: String {
        switch self {
        case .missing: "no package at"
        case .empty: "is empty"
        case .noGzip: "cannot be unpacked"
        case .cut: "cannot be unpacked"
        case .parentFolder: "`../escaped` has `..` in its path"
        case .absolutePath: "has an absolute path"
        case .linkOut: "outside of the package"
        case .device: "`dev` is a character device"
        case .otherApplication: "expected an executable `bin/counter`"
        case .otherVersion: "expected counter 9.0.9, found counter 0.1.0"
        }
    }

    /// Python that adds what is wrong to an archive `t` with a whole release in it.
    fileprivate func addition(escape: String) -> String {
        switch self {
        case .parentFolder: "add('../escaped')"
        case .absolutePath: "add('\(escape)')"
        case .linkOut: "add('out', type=tarfile.SYMTYPE, linkname='../../..')"
        case .device: "add('dev', type=tarfile.CHRTYPE)"
        case .missing, .empty, .noGzip, .cut, .otherApplication, .otherVersion: "pass"
        }
    }
}

extension DeployexWorld {
    func place(_ package: BadPackage) throws {
        let good = try ExamplePackages.folder() + "/counter-0.1.0.tar.gz"
        switch package {
        case .missing:
            return
        case .empty:
            try place(bytes: [], version: package.version)
        case .noGzip:
            try place(bytes: Array("this is no package\n".utf8), version: package.version)
        case .cut:
            let data = FileManager.default.contents(atPath: good) ?? Data()
            try place(bytes: Array(data.prefix(data.count / 2)), version: package.version)
        case .otherVersion:
            try place(package: good, version: package.version)
        case .parentFolder, .absolutePath, .linkOut, .device, .otherApplication:
            try build(package)
        }
    }

    private func build(_ package: BadPackage) throws {
        let application = package == .otherApplication ? "other" : "counter"
        let path = folder + "/built.tar.gz"
        let script = """
            import io, tarfile
            t = tarfile.open('\(path)', 'w:gz')
            def add(name, data=b'', mode=0o644, **other):
                i = tarfile.TarInfo(name); i.size = len(data); i.mode = mode
                for k, v in other.items(): setattr(i, k, v)
                t.addfile(i, io.BytesIO(data))
            add('bin/\(application)', b'#!/bin/sh\\n', 0o755)
            add('releases/start_erl.data', b'13.1.5 \(package.version)')
            add('releases/\(package.version)/start.script')
            \(package.addition(escape: folder + "/escaped"))
            t.close()
            """
        let result = try run(try ThisHost.find("python3"), ["-c", script])
        guard result.status == 0 else { throw TestFailure("python3: \(result)") }
        try place(package: path, version: package.version)
    }

    func waitForServiceEntries(within expected: Set<String>) throws {
        try wait("what was staged to go", for: .seconds(3)) {
            expected.isSuperset(of: serviceEntries(1))
        }
    }

    /// Writes on in a package that stands there.
    func append(_ bytes: ArraySlice<UInt8>, toPackage version: String) throws {
        let handle = open(packagePath(version), O_WRONLY | O_APPEND)
        guard handle >= 0 else { throw TestFailure("there is no package of \(version)") }
        defer { close(handle) }
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(handle, $0.baseAddress, $0.count) }
            guard count > 0 else { throw TestFailure("the package cannot be written") }
            rest = rest.dropFirst(count)
        }
    }

    /// Writes on in the file that stands there.
    func appendToCatalog(_ text: String) throws {
        let handle = open(catalogPath, O_WRONLY | O_APPEND)
        guard handle >= 0 else { throw TestFailure("\(catalogPath) cannot be opened") }
        defer { close(handle) }
        _ = text.withCString { Glibc.write(handle, $0, strlen($0)) }
    }
}
