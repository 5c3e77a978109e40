/// Why a test could not go on, with what deployex logged last.
struct WorldError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}
