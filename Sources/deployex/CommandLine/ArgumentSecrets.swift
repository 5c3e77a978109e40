internal import Supervisor

/// The cookie among a process's arguments, which every user of the host can read there.
///
/// It is written over as soon as it has been read. Until then it could be seen, if only for a
/// moment: a cookie in a file is seen by nobody.
enum ArgumentSecrets {
    /// A part of one argument that is a secret, to its end.
    struct Place: Equatable {
        /// Counted from 0 for the program's own name.
        var index: Int
        /// Bytes before it.
        var offset: Int
    }

    private static let options = ["--cookie", "-setcookie"]

    /// Where the values of `--cookie` and `-setcookie` stand, all of them.
    /// - Parameter arguments: with the program's own name.
    static func places(in arguments: [String]) -> [Place] {
        var places: [Place] = []
        var index = 1
        while index < arguments.count {
            let argument = arguments[index]
            if options.contains(argument), index + 1 < arguments.count {
                places.append(Place(index: index + 1, offset: 0))
                index += 1
            } else if let option = options.first(where: { argument.hasPrefix($0 + "=") }) {
                places.append(Place(index: index, offset: option.utf8.count + 1))
            }
            index += 1
        }
        return places
    }

    /// The arguments, the program's name first; their secrets are gone from the process's own.
    static func take() -> [String] {
        // A copy: what the kernel shows is the memory that main() was given.
        let arguments = CommandLine.arguments
        for place in places(in: arguments) {
            OwnProcess.overwriteArgument(place.index, from: place.offset)
        }
        return arguments
    }
}
