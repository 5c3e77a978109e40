/// What only a new process of an instance brings into effect, after hot upgrades.
package struct PendingRestart: Equatable, Sendable {
    /// Which modules run old code, for people. Of an older deployex it is all that waits.
    package var modules: String?
    /// The children that no supervisor has started, for people.
    package private(set) var children: [String]

    /// A record that grew without end could not be written on a full disk.
    static let maximumChildren = 10
    /// How many of them are shown.
    private static let shownChildren = 5

    package init(modules: String? = nil, children: [String] = []) {
        self.modules = modules
        self.children = Array(children.prefix(Self.maximumChildren))
    }

    package mutating func add(_ children: [String]) {
        self = Self(
            modules: modules,
            children: self.children + children.filter { !self.children.contains($0) })
    }

    /// `nil` when nothing waits.
    package var text: String? {
        var parts: [String] = []
        if let modules { parts.append(modules) }
        if !children.isEmpty {
            let shown = children.prefix(Self.shownChildren).joined(separator: ", ")
            let rest = children.count > Self.shownChildren ? ", …" : ""
            parts.append("children are not started: \(shown)\(rest)")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}
