import ExternalTermFormat
import FoundationEssentials
import Testing

@testable import Deployment
@testable import deployex

@Suite struct DocumentationTests {
    /// A file of this repository.
    private func text(_ path: String) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let contents = FileManager.default.contents(atPath: "/\(root)/\(path)")
        return String(decoding: try #require(contents), as: UTF8.self)
    }

    @Test func `every setting is documented, by its key and by its variable`() throws {
        let (configuration, readme) = (try text("docs/configuration.md"), try text("README.md"))
        for setting in Setting.all {
            #expect(configuration.contains("`\(setting.key)`"), "\(setting.key)")
            guard let variable = setting.variable else { continue }
            #expect(configuration.contains("`\(variable)`"), "\(variable)")
            #expect(readme.contains("`\(variable)`"), "\(variable)")
        }
    }

    @Test func `the documented file is a configuration`() throws {
        let document = try text("docs/configuration.md")
        let block = try #require(document.split(separator: "```json\n").dropFirst().first)
        let json = try #require(block.split(separator: "```").first)
        let file = try ConfigurationFile(path: "/d.json", bytes: Array(json.utf8))
        let found = try ServerConfiguration(file: file, environment: [:])
        #expect(found.applications.map(\.name) == ["counter", "mailer"])
        // All keys of the host and of an application stand in it.
        let host = Setting.all.filter { $0.scopes.contains(.host) }.map(\.key)
        #expect(Set(file.host.keys) == Set(host))
        let own = Setting.all.filter { $0.scopes == [.application] }.map(\.key)
        #expect(Set(own).subtracting(file.applications.flatMap(\.keys)) == [])
    }

    @Test func `every command is documented`() throws {
        let (commands, readme) = (try text("docs/commands.md"), try text("README.md"))
        for verb in Verb.all {
            let isThere = ["deployex ", "deployex [", "\\|"].contains { before in
                readme.contains(before + verb.name)
            }
            #expect(isThere, "\(verb.name)")
            if verb.peer == .deployex, verb.name != "start", verb.name != "completion" {
                #expect(commands.contains("deployex \(verb.name)"), "\(verb.name)")
            }
        }
    }

    @Test func `the documented status has every field of the real one`() throws {
        let document = try text("docs/commands.md")
        let section = try #require(document.split(separator: "## `status --json`").last)
        let sample = try #require(section.split(separator: "```").dropFirst().first)
        let keys =
            StatusReport.fields.map(\.key) + StatusReport.Application.fields.map(\.key)
            + StatusReport.Ghost.fields.map(\.key) + StatusReport.Instance.fields.map(\.key)
        for key in keys { #expect(sample.contains("\"\(key.name)\": "), "\(key.name)") }
    }

    @Test func `every variable that the program reads is one that it knows`() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let folder = root + "/Sources/deployex"
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder)
        for path in paths where path.hasSuffix(".swift") {
            let source = try text("Sources/deployex/" + path)
            for part in source.split(separator: "\"DEPLOYEX_").dropFirst() {
                let name = "DEPLOYEX_" + part.prefix { $0.isUppercase || $0 == "_" }
                guard part.dropFirst(name.count - 9).first == "\"", name.count > 9 else { continue }
                #expect(UnknownVariables.known.contains(name), "\(name) in \(path)")
            }
        }
    }
}
