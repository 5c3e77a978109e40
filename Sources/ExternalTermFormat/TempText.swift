public struct TextErr: Error {}
extension Term: CustomStringConvertible {
    public var description: String { "?" }
    public init(text: String) throws(TextErr) { throw TextErr() }
}
