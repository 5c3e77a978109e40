internal import Deployment

/// What a secret holds. Its texts never show the values.
package struct SecretValues: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    private let value: JSONValue
    private let place: String

    package var description: String { place }
    package var debugDescription: String { place }
    package var customMirror: Mirror { Mirror(self, children: [:]) }

    /// - Parameters:
    ///   - answer: the answer to GetSecretValue.
    ///   - place: which secret it is, for errors.
    init(answer: [UInt8], _ place: String) throws(SecretsError) {
        self.place = place
        let answer = try Self.object(answer, "\(place): the answer")
        guard let text = answer["SecretString"]?.text else {
            throw SecretsError(
                answer["SecretBinary"] == nil
                    ? "\(place): the answer has no SecretString"
                    : "\(place): it is binary: store it as text, a JSON object")
        }
        value = try Self.object(Array(text.utf8), "\(place): its text")
    }

    /// The value of a key; `nil` when there is none.
    package func value(of key: String) throws(SecretsError) -> String? {
        switch value[key] {
        case nil: return nil
        case .string(let text)?: return text
        case let other?: throw SecretsError("\(place): \(key) is \(other.kind), not a string")
        }
    }

    private static func object(
        _ bytes: [UInt8], _ what: String
    ) throws(SecretsError) -> JSONValue {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONReader.value(bytes)
        } catch {
            throw SecretsError("\(what) is not JSON")
        }
        guard case .object = value else {
            throw SecretsError("\(what) is \(value.kind), not a JSON object")
        }
        return value
    }
}
