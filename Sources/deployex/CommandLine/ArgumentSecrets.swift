internal import Supervisor

/// The cookie among a process's arguments, which every user of the host can read there.
///
/// It is overwritten as soon as it has been read. Until then others can see it, if only for a
/// moment. A cookie in a file cannot be seen this way.
enum ArgumentSecrets {
    /// A secret part of one argument, which reaches to the argument's end.
    struct Place: Equatable {
        /// The index of the argument, counted from 0 for the program's own name.
        var index: Int
        /// How many bytes of the argument come before the secret.
        var offset: Int
    }

    private static let options = ["--cookie", "-setcookie"]

    /// Where all values of `--cookie` and `-setcookie` stand.
    /// - Parameter arguments: including the program's own name.
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

    /// Returns the arguments, the program's name first, and removes their secrets from the
    /// process's own arguments.
    static func take() -> [String] {
        // This is a copy: the kernel shows the memory that main() was given.
        let arguments = OwnProcess.arguments
        for place in places(in: arguments) {
            OwnProcess.overwriteArgument(place.index, from: place.offset)
        }
        return arguments
    }
}
