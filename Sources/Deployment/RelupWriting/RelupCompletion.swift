package import ExternalTermFormat

/// Adds to a relup that was made from appups the modules that the appups leave out.
///
/// `systools` believes an appup: a changed module that it does not name stays as it was, and nobody
/// says so. What is left out is loaded before the relup's own instructions. A module whose
/// processes have a state is not added: whoever wrote the appup knows how they are to change.
package struct RelupCompletion: Sendable {
    var difference: ReleaseDifference
    private var writer: RelupWriter

    package init(
        from old: ReleaseCode, to new: ReleaseCode, writer: RelupWriter
    ) throws(RelupRefusal) {
        difference = try ReleaseDifference(from: old, to: new)
        self.writer = writer
    }

    /// The modules that changed and that `instructions` leave as they are.
    package func omitted(by instructions: [Term]) -> [String] {
        let named = Self.modules(of: instructions)
        let touched = Set(difference.changed.keys).union(difference.added.keys)
        return touched.subtracting(named).sorted()
    }

    /// A relup of this one upgrade with what it leaves out. Its way back stays as it is.
    package func completed(relup: Term) throws(RelupRefusal) -> Term {
        guard var parts = relup.asTuple, parts.count == 3, let upgrades = parts[1].asList else {
            return relup
        }
        var completed: [Term] = []
        for upgrade in upgrades {
            guard var fields = upgrade.asTuple, fields.count == 3,
                fields[0].asText == difference.old.version, let own = fields[2].asList
            else {
                completed.append(upgrade)
                continue
            }
            fields[2] = .list(try self.completed(own))
            completed.append(.tuple(fields))
        }
        parts[1] = .list(completed)
        return .tuple(parts)
    }

    /// The instructions with what they leave out.
    ///
    /// Consolidated protocols belong to no application, so that no appup can name them: they are
    /// added, too.
    package func completed(_ instructions: [Term]) throws(RelupRefusal) -> [Term] {
        let omitted = Set(omitted(by: instructions))
        try difference.check(only: omitted)
        let processes = omitted.filter {
            difference.changed[$0].map { $0.new.kind.isSuspended } ?? false
        }
        guard processes.isEmpty else { throw .omittedProcesses(modules: processes.sorted()) }
        var rest = difference
        rest.keep(only: omitted)
        let section = RelupSection(
            difference: rest, direction: .up, root: writer.root, script: "",
            configuration: writer.configuration)
        let (before, loads, protocols, last) = try section.loadsAndProtocols()
        guard let point = instructions.firstIndex(of: .atom("point_of_no_return")) else {
            return instructions
        }
        var result = Array(instructions[..<point]) + before + [.atom("point_of_no_return")] + loads
        let remaining = instructions[(point + 1)...]
        let end = remaining.lastIndex { $0.asTuple?.first == .atom("load") }.map { $0 + 1 }
        let middle = end ?? remaining.startIndex
        result += remaining[..<middle] + protocols + remaining[middle...] + last
        return result
    }

    /// The modules that some instructions load or remove.
    private static func modules(of instructions: [Term]) -> Set<String> {
        Set(
            instructions.compactMap { instruction in
                guard let parts = instruction.asTuple, parts.count == 2,
                    parts[0] == .atom("load") || parts[0] == .atom("remove")
                else { return nil }
                return parts[1].asTuple?.first?.asAtom?.name
            })
    }
}
