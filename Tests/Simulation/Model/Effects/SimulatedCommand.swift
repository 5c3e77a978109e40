internal import Deployment
internal import ExternalTermFormat
internal import Foundation
internal import Supervisor
internal import TestKit
internal import Transport

extension SimulatedProcess {
    /// A program that runs beside the instances, and ends by itself.
    enum Command {
        /// `bin/APP eval …` of what is staged, which prints its configuration.
        case evaluation(folder: String, running: String?, output: String)
        /// A pre-command of the release that is staged.
        case preCommand(of: ReleaseID?, content: SimulatedRelease?)

        /// `nil` for the start of an instance.
        init?(_ program: Program, in world: SimulatedWorld) {
            guard program.arguments.first == "eval" else { return nil }
            let folder = program.path.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()
            if program.arguments.contains(where: { $0.contains("deployex-configuration:") }) {
                self = .evaluation(
                    folder: folder, running: program.environment["DEPLOYEX_RUNNING_RELEASE"],
                    output: program.stdoutPath)
                world.invariants.evaluates(folder, world)
                for path in [program.stdoutPath, program.stderrPath] { world.write([], to: path) }
                return
            }
            let standing = StandingRelease(
                in: folder, of: Scenario.application, world.disk.image)
            let marker = try? ReleaseMarker.read(in: folder, files: world.disk)
            if case .whole(let content) = standing {
                self = .preCommand(of: marker?.id, content: content)
            } else {
                self = .preCommand(of: marker?.id, content: nil)
            }
        }

        func begin(_ identity: ProcessIdentity, _ world: SimulatedWorld) {
            switch self {
            case .evaluation(let folder, let running, let output):
                world.after(.milliseconds(50) ... .milliseconds(300)) { [unowned world] in
                    guard world.host[identity] != nil else { return }
                    guard world.hasWhatConfigurationsNeed() else {
                        return world.end(identity, .code(1))
                    }
                    world.write(Self.printed(folder, running, world), to: output)
                    world.end(identity, .code(0))
                }
            case .preCommand(let id, let content):
                world.after(.milliseconds(100) ... .seconds(5)) { [unowned world] in
                    guard world.host[identity] != nil else { return }
                    let package = content.flatMap { world.store.contents[$0.hash] }
                    let succeeds = package?.preCommandsSucceed ?? true
                    if let id {
                        world.invariants.ranPreCommands(id, succeeded: succeeds, world)
                    }
                    world.end(identity, .code(succeeds ? 0 : 1))
                }
            }
        }

        /// - Parameter running: …/releases/VERSION/NAME of what runs, if a relup is wanted.
        private static func printed(
            _ folder: String, _ running: String?, _ world: SimulatedWorld
        ) -> [UInt8] {
            let configuration: Term = [
                .tuple([.atom(Atom(shortEnough: Scenario.application)), []])
            ]
            let term = Term.tuple([
                .binary(Array(folder.utf8)), configuration, relup(folder, running, world),
            ])
            let text = Data(term.encoded()).base64EncodedString()
            return Array("deployex-configuration:\(text)\n".utf8)
        }

        /// What `systools` makes: the way from what runs to what is staged.
        private static func relup(
            _ folder: String, _ running: String?, _ world: SimulatedWorld
        ) -> Term {
            guard let running else { return .atom("nil") }
            let standing = StandingRelease(
                in: folder, of: Scenario.application, world.disk.image)
            guard case .whole(let new) = standing,
                !world.random.chance(world.scenario.failingUpgrades),
                let old = running.split(separator: "/").dropLast().last.map(String.init)
            else { return .tuple([.atom("error"), .binary("simulated")]) }
            let steps: Term = [.tuple([.charlist(old), [], []])]
            return .tuple([.atom("ok"), .tuple([.charlist(new.version), steps, steps])])
        }
    }
}

extension SimulatedWorld {
    /// Whether what every release needs to read its configuration is there, such as a host that has its
    /// secrets. It comes and goes for seconds.
    func hasWhatConfigurationsNeed() -> Bool {
        if configurationNeeds.until <= now {
            configurationNeeds = (
                now + random.duration(.seconds(2) ... .seconds(20)),
                !random.chance(scenario.failingUpgrades / 4)
            )
        }
        return configurationNeeds.areMet
    }

    /// How a process that is started takes SIGTERM.
    func termination() -> SimulatedProcess.Termination {
        guard random.chance(scenario.stubbornProcesses) else {
            return .after(random.duration(.milliseconds(5) ... .milliseconds(800)))
        }
        return random.pick([.never, .after(.seconds(4))])
    }

    /// As a program writes its output: on a full disk it is lost.
    func write(_ bytes: [UInt8], to path: String) {
        var image = disk.image
        do throws(FileSystemError) { try image.overwrite(path, with: bytes) } catch { return }
        disk.image = image
    }
}
