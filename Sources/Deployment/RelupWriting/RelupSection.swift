internal import ExternalTermFormat

/// The instructions that lead a node one way.
struct RelupSection {
    enum Direction { case up, down }

    var difference: ReleaseDifference
    var direction: Direction
    /// The folder of the release on the node.
    var root: String
    /// The path of ``UpgradeScript`` there.
    var script: String
    var configuration: [Term]

    /// The modules whose processes are suspended, those that others use last.
    static func suspended(_ difference: ReleaseDifference) -> [String] {
        var names = Set(difference.changed.filter { $0.value.new.kind.isSuspended }.keys)
        for (_, module) in difference.changed {
            if let host = host(of: module, difference) { names.insert(host) }
        }
        return ModuleOrder.sorted(names) { difference.changed[$0]?.new.uses ?? [] }.reversed()
    }

    /// The library's module whose processes call a module's `code_change`.
    private static func host(
        of module: (old: ModuleCode, new: ModuleCode), _ difference: ReleaseDifference
    ) -> String? {
        guard case .hosted(let host) = module.new.kind, module.old.changesState,
            module.new.changesState
        else { return nil }
        guard host == .liveView else { return host.module }
        // Before, a change of code put the view's state into the place of the process's.
        let version = difference.old.application("phoenix_live_view")?.version ?? ""
        let numbers = version.split(separator: ".").prefix(3).map { Int($0) ?? 0 }
        return numbers.lexicographicallyPrecedes([1, 0, 6]) ? nil : host.module
    }

    func instructions() throws(RelupRefusal) -> [Term] {
        let (changed, added) = (difference.changed, difference.added)
        let suspended = Self.suspended(difference)
        let order = ModuleOrder.sorted(Set(changed.keys).union(added.keys)) { name in
            changed[name]?.new.uses ?? added[name]?.uses ?? []
        }
        let loaded = order.filter { changed[$0] != nil }
        let (early, late) = startedApplications()
        let protocols = difference.protocols.sorted()
        let (new, known) = (
            protocols.filter { isNewProtocol($0) }, protocols.filter { !isNewProtocol($0) }
        )
        let supervisors = suspended.filter { changed[$0]?.new.kind == .supervisor }

        var steps = try objectCode(order)
        steps += configuration
        steps.append(.atom("point_of_no_return"))
        steps += try order.filter { added[$0] != nil }.map(load)
        steps += exchangedProtocols(isBefore: true)
        steps += try loadProtocols(new)
        for application in early { steps += try start(application) }
        if !supervisors.isEmpty { steps.append(try children(of: supervisors, phase: "before")) }
        if !suspended.isEmpty {
            steps.append(.tuple([.atom("suspend"), .list(try suspended.map(Self.atom))]))
        }
        switch direction {
        case .up:
            steps += try loaded.map(load)
            steps += try loadProtocols(known)
            steps += try codeChange("up", suspended.filter { changesCode($0, with: \.new) })
        case .down:
            // The code that is left knows both states; a supervisor asks the code that it gets.
            steps += try codeChange(
                "down",
                suspended.filter { !supervisors.contains($0) && changesCode($0, with: \.old) })
            steps += try loaded.reversed().map(load)
            steps += try loadProtocols(known)
            steps += try codeChange("down", supervisors)
        }
        if !suspended.isEmpty {
            steps.append(.tuple([.atom("resume"), .list(try suspended.reversed().map(Self.atom))]))
        }
        for application in late { steps += try start(application) }
        if !supervisors.isEmpty { steps.append(try children(of: supervisors, phase: "afterwards")) }
        for application in difference.removedApplications {
            steps.append(try Self.apply("application", "stop", Self.atom(application.name)))
        }
        for module in difference.removed.sorted() {
            steps.append(.tuple([.atom("remove"), try Self.softly(module)]))
        }
        for application in difference.removedApplications {
            let name = try Self.atom(application.name)
            steps.append(Self.apply("application", "unload", name))
            steps.append(Self.apply("code", "del_path", name))
        }
        steps += exchangedProtocols(isBefore: false)
        steps += try changedManifests()
        return steps
    }

    /// The pieces for a relup that has its own instructions for everything else: what is read
    /// before the point of no return, what is loaded behind it, what follows the other loads, and
    /// what comes last.
    func loadsAndProtocols() throws(RelupRefusal) -> (
        before: [Term], loads: [Term], protocols: [Term], last: [Term]
    ) {
        let (changed, added) = (difference.changed, difference.added)
        let order = ModuleOrder.sorted(Set(changed.keys).union(added.keys)) { name in
            changed[name]?.new.uses ?? added[name]?.uses ?? []
        }
        return (
            try objectCode(order) + configuration, try order.map(load),
            exchangedProtocols(isBefore: true)
                + (try loadProtocols(difference.protocols.sorted())),
            exchangedProtocols(isBefore: false) + (try changedManifests())
        )
    }

    // MARK: Modules

    /// Reads all files before anything changes. A module of no application is a protocol that has
    /// been consolidated, and is read otherwise.
    private func objectCode(_ order: [String]) throws(RelupRefusal) -> [Term] {
        var modules: [String: [String]] = [:]
        for name in order {
            guard let place = difference.places[name] else { continue }
            modules[place.application, default: []].append(name)
        }
        var steps: [Term] = []
        for application in difference.new.applications {
            guard let names = modules[application.name] else { continue }
            steps.append(
                .tuple([
                    .atom("load_object_code"),
                    .tuple([
                        try Self.atom(application.name), .charlist(application.version),
                        .list(try names.map(Self.atom)),
                    ]),
                ]))
        }
        return steps
    }

    private func load(_ module: String) throws(RelupRefusal) -> Term {
        .tuple([.atom("load"), try Self.softly(module)])
    }

    /// Whether the processes of a suspended module are asked to change their state.
    private func changesCode(
        _ module: String, with side: KeyPath<(old: ModuleCode, new: ModuleCode), ModuleCode>
    ) -> Bool {
        guard let change = difference.changed[module] else { return true }  // A host.
        let code = change[keyPath: side]
        switch code.kind {
        case .supervisor, .special: return true
        case .server, .hosted, .plain: return code.changesState
        }
    }

    private func codeChange(
        _ mode: Atom, _ modules: [String]
    ) throws(RelupRefusal) -> [Term] {
        guard !modules.isEmpty else { return [] }
        let pairs = try modules.map { module throws(RelupRefusal) in
            Term.tuple([try Self.atom(module), []])
        }
        return [.tuple([.atom("code_change"), .atom(mode), .list(pairs)])]
    }

    // MARK: Consolidated protocols

    private func isNewProtocol(_ name: String) -> Bool {
        difference.old.consolidated[name] == nil
            && !difference.old.applications.contains { $0.modules[name] != nil }
    }

    /// Where the node looks for protocols. It has the path as `mix` writes it into the boot script,
    /// or as an earlier relup has added it.
    private func exchangedProtocols(isBefore: Bool) -> [Term] {
        let release = isBefore ? difference.new : difference.old
        guard release.isConsolidated else { return [] }
        let folder = "releases/\(release.version)/consolidated"
        if isBefore { return [Self.apply("code", "add_patha", .charlist("\(root)/\(folder)"))] }
        return ["\(root)/\(folder)", "\(root)/lib/../\(folder)"].map {
            Self.apply("code", "del_path", .charlist($0))
        }
    }

    /// All at once: a module that calls two of them sees both old or both new.
    private func loadProtocols(_ names: [String]) throws(RelupRefusal) -> [Term] {
        guard !names.isEmpty else { return [] }
        let modules = try names.map(Self.atom)
        return modules.map { Self.apply("code", "soft_purge", $0) }
            + [Self.apply("code", "atomic_load", .list(modules))]
    }

    // MARK: Applications

    /// The applications that are new: those that only need what the node has already, and those
    /// that wait for changed code.
    private func startedApplications() -> (
        early: [ReleaseCode.Application], late: [ReleaseCode.Application]
    ) {
        let waiting = difference.applicationsToWaitFor
        let added = difference.addedApplications
        return (
            added.filter { !waiting.contains($0.name) }, added.filter { waiting.contains($0.name) }
        )
    }

    private func start(_ application: ReleaseCode.Application) throws(RelupRefusal) -> [Term] {
        let name = try Self.atom(application.name)
        switch application.type {
        case "none": return []
        case "load": return [Self.apply("application", "load", name)]
        case let type:
            return [Self.apply("application", "start", name, try Self.atom(type ?? "permanent"))]
        }
    }

    /// Applications that keep in memory where their static files are. A release handler tells them
    /// of a changed environment only.
    private func changedManifests() throws(RelupRefusal) -> [Term] {
        var steps: [Term] = []
        for application in difference.new.applications {
            guard let start = application.start, start.hearsOfConfiguration,
                let before = difference.old.application(application.name),
                before.manifest != application.manifest
            else { continue }
            steps.append(
                .tuple([
                    .atom("apply"),
                    .tuple([try Self.atom(start.module), .atom("config_change"), [[], [], []]]),
                ]))
        }
        return steps
    }

    private func children(of supervisors: [String], phase: Atom) throws(RelupRefusal) -> Term {
        Self.apply(
            "file", "eval", .charlist(script),
            [
                .tuple([.atom("Phase"), .atom(phase)]),
                .tuple([.atom("Supervisors"), .list(try supervisors.map(Self.atom))]),
            ])
    }

    // MARK: Terms

    static func atom(_ name: String) throws(RelupRefusal) -> Term {
        do throws(TermError) { return .atom(try Atom(name)) } catch { throw .badName(name) }
    }

    /// Processes that linger in old code are not killed: if there are some, nothing is done.
    static func softly(_ module: String) throws(RelupRefusal) -> Term {
        .tuple([try atom(module), .atom("soft_purge"), .atom("soft_purge")])
    }

    private static func apply(_ module: Atom, _ function: Atom, _ arguments: Term...) -> Term {
        .tuple([
            .atom("apply"), .tuple([.atom(module), .atom(function), .list(arguments)]),
        ])
    }
}

extension ModuleCode.Kind {
    /// Whether a module's own processes stand still while the code changes.
    var isSuspended: Bool {
        switch self {
        case .supervisor, .special, .server: true
        case .hosted, .plain: false
        }
    }
}
