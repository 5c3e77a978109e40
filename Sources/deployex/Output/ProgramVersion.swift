/// The version of this deployex.
enum ProgramVersion {
    static let text = "0.1.0"
}
