/// What differs between two releases, from the one that runs to the one that is to run.
struct ReleaseDifference {
    /// A module where the release to run has it.
    struct Place: Hashable {
        var application: String
        var version: String
    }

    var old: ReleaseCode
    var new: ReleaseCode

    /// Modules of both whose code differs, each with what it was and what it is. Consolidated
    /// protocols are not among them.
    private(set) var changed: [String: (old: ModuleCode, new: ModuleCode)] = [:]
    private(set) var added: [String: ModuleCode] = [:]
    private(set) var removed: Set<String> = []
    /// Consolidated protocols that are new or have changed.
    private(set) var protocols: Set<String> = []
    /// Where the new release has the changed and the added modules.
    private(set) var places: [String: Place] = [:]

    /// How many modules a release may change.
    static let maximumCount = 50_000

    init(from old: ReleaseCode, to new: ReleaseCode) throws(RelupRefusal) {
        self.old = old
        self.new = new
        let before = try Self.modules(of: old)
        let after = try Self.modules(of: new)
        for (name, module) in after where new.consolidated[name] == nil {
            let earlier = old.consolidated[name] ?? before[name]?.code
            if let earlier {
                guard earlier.digest != module.code.digest else { continue }
                changed[name] = (earlier, module.code)
            } else {
                added[name] = module.code
            }
            places[name] = module.place
        }
        for (name, code) in new.consolidated {
            let earlier = old.consolidated[name] ?? before[name]?.code
            if earlier?.digest != code.digest { protocols.insert(name) }
        }
        removed = Set(before.keys).union(old.consolidated.keys)
            .filter { after[$0] == nil && new.consolidated[$0] == nil }
        let count = changed.count + added.count + removed.count + protocols.count
        guard count <= Self.maximumCount else { throw .tooManyModules(count: count) }
    }

    /// Leaves aside all other modules, and what is removed.
    mutating func keep(only names: Set<String>) {
        changed = changed.filter { names.contains($0.key) }
        added = added.filter { names.contains($0.key) }
        removed = []
    }

    private static func modules(
        of release: ReleaseCode
    ) throws(RelupRefusal) -> [String: (code: ModuleCode, place: Place)] {
        var found: [String: (code: ModuleCode, place: Place)] = [:]
        for application in release.applications {
            let place = Place(application: application.name, version: application.version)
            for (name, code) in application.modules {
                if let other = found[name] {
                    throw .moduleOfTwoApplications(
                        module: name, other.place.application, application.name)
                }
                found[name] = (code, place)
            }
        }
        return found
    }

    var addedApplications: [ReleaseCode.Application] {
        inOrderOfStart(new.applications.filter { old.application($0.name) == nil })
    }

    /// Those that depend on another before it.
    var removedApplications: [ReleaseCode.Application] {
        inOrderOfStart(old.applications.filter { new.application($0.name) == nil }).reversed()
    }

    /// The modules that are removed while their application goes on.
    var removedWhileRunning: [String] {
        let stopped = removedApplications.flatMap(\.modules.keys)
        return removed.subtracting(stopped).sorted()
    }

    /// The applications of the new release that have changed or new code, or need one that has.
    var applicationsToWaitFor: Set<String> {
        var found = Set(changed.keys.compactMap { places[$0]?.application })
        // Each round adds one or is the last.
        while true {
            let more = new.applications.filter { application in
                !found.contains(application.name)
                    && application.needs.contains(where: found.contains)
            }
            guard !more.isEmpty else { return found }
            found.formUnion(more.map(\.name))
        }
    }

    private func inOrderOfStart(
        _ applications: [ReleaseCode.Application]
    ) -> [ReleaseCode.Application] {
        let named = Dictionary(applications.map { ($0.name, $0) }) { first, _ in first }
        return ModuleOrder.sorted(Set(named.keys)) { Set(named[$0]?.needs ?? []) }
            .compactMap { named[$0] }
    }
}

// MARK: - What no relup does

extension ReleaseDifference {
    /// Throws the first reason why the one release cannot take the other's place in a running node.
    func check() throws(RelupRefusal) {
        let compilers = (old.application("compiler"), new.application("compiler"))
        if let first = compilers.0?.version, let second = compilers.1?.version, first != second {
            throw .changedCompiler(running: first, staged: second)
        }
        for application in new.applications {
            guard let before = old.application(application.name) else { continue }
            try check(application, since: before)
        }
        for (name, module) in changed.sorted(by: { $0.key < $1.key }) {
            try check(name, module.old, module.new)
        }
        for (name, code) in added.sorted(by: { $0.key < $1.key }) {
            try checkVersion(of: name)
            // Here it is added; on the way back it is removed.
            guard code.hasAttributes else { throw .withoutAttributes(module: name) }
        }
    }

    /// The same of some modules alone.
    func check(only names: Set<String>) throws(RelupRefusal) {
        for name in names.sorted() {
            if let module = changed[name] { try check(name, module.old, module.new) }
            if let code = added[name], !code.hasAttributes {
                throw .withoutAttributes(module: name)
            }
        }
    }

    private func check(
        _ application: ReleaseCode.Application, since before: ReleaseCode.Application
    ) throws(RelupRefusal) {
        let name = application.name
        guard Set(application.included) == Set(before.included) else {
            throw .changedInclusion(application: name)
        }
        guard application.type ?? "permanent" == before.type ?? "permanent" else {
            throw .changedStartType(application: name)
        }
        let starts = (before.start, application.start)
        guard starts.0?.module == starts.1?.module, starts.0?.argument == starts.1?.argument,
            starts.0?.phases == starts.1?.phases
        else { throw .changedStart(application: name) }
        if let module = application.start?.module, changed[module] != nil {
            throw .changedStart(application: name)
        }
        let paths = Set(application.libraries.keys).union(before.libraries.keys).sorted()
        for path in paths where application.libraries[path] != before.libraries[path] {
            throw .nativeLibrary(application: name, path: path)
        }
        guard application.version == before.version else { return }
        let gone = removed.sorted().first { before.modules[$0] != nil }
        if let gone {
            throw .changedUnderSameVersion(
                application: name, version: before.version, module: gone)
        }
    }

    private func check(
        _ name: String, _ old: ModuleCode, _ new: ModuleCode
    ) throws(RelupRefusal) {
        try checkVersion(of: name)
        guard old.hasAttributes, new.hasAttributes else { throw .withoutAttributes(module: name) }
        guard !old.isNative, !new.isNative else { throw .nativeModule(name) }
        guard !old.runsWhenLoaded, !new.runsWhenLoaded else { throw .runsWhenLoaded(module: name) }
        guard old.kind == new.kind else {
            throw .kindChanged(module: name, from: old.kind, to: new.kind)
        }
        if new.startsAnonymousSupervisor || old.startsAnonymousSupervisor {
            throw .anonymousSupervisor(module: name)
        }
        if new.kind == .supervisor, let call = old.effects.union(new.effects).min() {
            throw .supervisorWithEffects(module: name, call: call)
        }
        if new.isStateMachine, !(old.changesState && new.changesState) {
            throw .stateMachine(module: name)
        }
    }

    private func checkVersion(of module: String) throws(RelupRefusal) {
        guard let place = places[module], let before = old.application(place.application),
            before.version == place.version
        else { return }
        throw .changedUnderSameVersion(
            application: place.application, version: place.version, module: module)
    }
}
