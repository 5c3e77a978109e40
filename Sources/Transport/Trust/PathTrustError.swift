internal import Glibc

/// Why a path is not used: which name on it is the problem, who owns it, and what helps.
package struct PathTrustError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case untrusted(PathTrustRule.Problem)
        /// There is a link where none is followed.
        case link
        /// There are more links than any path needs: they lead in a circle.
        case tooManyLinks
        /// The system's own error, such as `ENOENT`.
        case system(SystemError)
    }

    /// The path that was asked for.
    package let path: String
    /// The path of the name that is the problem.
    package let place: String
    package let reason: Reason
    /// What is wrong and what helps. It is made with the error, because it may have to ask for the
    /// names of users.
    package let description: String

    /// "using /tmp/deployex/varlib: /tmp/deployex belongs to alice (uid 1001), whom deployex does
    /// not trust: …"
    /// - Parameter remedy: what helps beside changing what is at `place`, such as another setting.
    /// - Parameter place: where on the path it happened, if not at the end.
    init(_ error: SystemError, path: String, place: String? = nil) {
        self.init(path: path, place: place ?? path, reason: .system(error))
    }

    package init(path: String, place: String, reason: Reason, remedy: String? = nil) {
        self.path = path
        self.place = place
        self.reason = reason
        if case .system(let error) = reason {
            description = error.description
        } else {
            let prefix = path == place ? "" : "using \(path): "
            let text = Self.text(reason, place)
            let remedies = [text.remedy, remedy].compactMap(\.self)
            let advice = remedies.isEmpty ? "" : ": " + remedies.joined(separator: ", or ")
            description = "\(prefix)\(place) \(text.problem)\(advice)"
        }
    }

    /// Whether nothing is there. Everything above it can be believed.
    package var isNotFound: Bool {
        if case .system(let error) = reason { error.code == ENOENT } else { false }
    }

    /// What is wrong, and what corrects it at the place itself without harming anybody.
    private typealias Text = (problem: String, remedy: String?)

    private static func text(_ reason: Reason, _ place: String) -> Text {
        switch reason {
        case .untrusted(let problem): text(problem, place)
        case .link: ("is a symbolic link, which is not followed here", "remove it")
        case .tooManyLinks:
            ("leads through too many symbolic links", "name the path without them")
        case .system(let error): (error.description, nil)
        }
    }

    private static func text(_ problem: PathTrustRule.Problem, _ place: String) -> Text {
        switch problem {
        case .owner(let user):
            ("belongs to \(UserDatabase.text(user)), whom deployex does not trust", nil)
        case .writableByEveryone: ("can be written to by everyone", "run: chmod o-w \(place)")
        case .writableByGroup(let group):
            (
                "can be written to by \(groupText(group)), in which others than trusted users are or"
                    + " may be", "run: chmod g-w \(place)"
            )
        case .writableByUser(let user):
            ("can be written to by \(UserDatabase.text(user))", "run: setfacl -b \(place)")
        case .usableByEveryone: ("can be read by everyone", "run: chmod 600 \(place)")
        case .usableByGroup(let group):
            (
                "can be read by \(groupText(group)), in which others than trusted users are or may be",
                "run: chmod 600 \(place)"
            )
        case .usableByUser(let user):
            ("can be read by \(UserDatabase.text(user))", "run: setfacl -b \(place)")
        case .notAFolder: ("is not a folder", "remove it")
        case .notAFile(.link): ("is a symbolic link, which is not followed here", "remove it")
        case .notAFile: ("is not a regular file", "replace it with one")
        case .severalNames(let count):
            (
                "is a file with \(count) names (hard links), so that it may be another one",
                "remove it"
            )
        }
    }

    private static func groupText(_ group: UInt32) -> String {
        GroupDatabase.group(id: group).map { "the group \($0.name) (gid \(group))" }
            ?? "gid \(group)"
    }
}
