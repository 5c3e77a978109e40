/// Which of an application's listening sockets it is: as text `shop/http`, or `shop/http/2` for the own
/// one of instance 2.
package struct HeldSocketName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let application: String
    package let listener: String
    /// The instance whose own it is; `nil` if all share it.
    package let number: InstanceNumber?

    package static let maximumByteCount = 128

    package init(application: String, listener: String, number: InstanceNumber? = nil) {
        self.application = application
        self.listener = listener
        self.number = number
    }

    /// - Returns: `nil` for what is no such text.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.maximumByteCount else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard 2...3 ~= parts.count, Self.isApplication(parts[0]),
            ListeningAddress.isName(parts[1])
        else { return nil }
        application = String(parts[0])
        listener = String(parts[1])
        guard parts.count == 3 else {
            number = nil
            return
        }
        guard let value = Int(parts[2]), "\(value)" == parts[2],
            let number = InstanceNumber(rawValue: value)
        else { return nil }
        self.number = number
    }

    private static func isApplication(_ text: Substring) -> Bool {
        1...64 ~= text.utf8.count
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }

    package var description: String {
        "\(application)/\(listener)" + (number.map { "/\($0)" } ?? "")
    }

    package static func < (left: HeldSocketName, right: HeldSocketName) -> Bool {
        (left.application, left.listener, left.number?.value ?? 0)
            < (right.application, right.listener, right.number?.value ?? 0)
    }
}
