internal import ExternalTermFormat
internal import Supervisor

/// The configured applications and instances, and the names by which callers refer to them.
struct InstanceDirectory: Equatable {
    struct Application: Equatable {
        var name: String
        var replicas: Int
    }

    /// In the order of the configuration.
    let applications: [Application]

    init(_ applications: [Application]) {
        self.applications = applications
    }

    /// The application of that name, or the only one if no name is given.
    func application(_ name: String?) throws(ControlRefusal) -> Application {
        guard let name else {
            guard applications.count == 1, let only = applications.first else {
                throw ControlRefusal("there are several applications: name one of \(names)")
            }
            return only
        }
        guard let found = applications.first(where: { $0.name == name }) else {
            throw ControlRefusal("there is no application \(shown(name)), only \(names)")
        }
        return found
    }

    func instance(_ number: Int, of application: String?) throws(ControlRefusal) -> InstanceName {
        let application = try self.application(application)
        guard number >= 1, number <= application.replicas else {
            throw ControlRefusal(
                "\(application.name) has no instance \(number), only 1 to "
                    + "\(application.replicas)")
        }
        return InstanceName(app: application.name, number: InstanceNumber(number))
    }

    /// `2` or `counter-2`.
    func instance(named text: String, of application: String?) throws(ControlRefusal)
        -> InstanceName
    {
        if let number = Int(text) { return try instance(number, of: application) }
        guard let dash = text.lastIndex(of: "-"), let number = Int(text[text.index(after: dash)...])
        else {
            throw ControlRefusal(
                "\(shown(text)) is no instance: give its number, or its name as in \(example)")
        }
        let name = String(text[..<dash])
        guard application == nil || application == name else {
            throw ControlRefusal("\(shown(text)) is no instance of \(application ?? "")")
        }
        return try instance(number, of: name)
    }

    /// The instance that has this node name (the part before the `@`), if any.
    func instance(alive: String) -> InstanceName? {
        guard Int(alive) == nil else { return nil }
        return try? instance(named: alive, of: nil)
    }

    /// What the caller asked for, for the one-line answer. A text that cannot be a name is shown as
    /// Erlang writes it.
    private func shown(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { 0x20...0x7E ~= $0 }
        return isPlain && text.utf8.count <= 128
            ? text : Term.binary(text).erlangText(maximumByteCount: 64)
    }

    private var names: String { applications.map(\.name).joined(separator: ", ") }
    private var example: String { "\(applications.first?.name ?? "app")-1" }
}

/// Why a call or a name cannot be resolved: one line for the caller.
struct ControlRefusal: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
