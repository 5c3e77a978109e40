package import Transport

/// A request with its content, as a server has read it.
package struct HTTPServerRequest: Equatable, Sendable {
    package var head: HTTPRequestHead
    /// At most ``HTTPLimits/bodyByteCount``.
    package var content: [UInt8]
    /// Who has connected: a proxy, perhaps.
    package var peer: SocketAddress
    /// Whether the connection is TLS.
    package var isSecure: Bool

    package init(
        head: HTTPRequestHead, content: [UInt8] = [], peer: SocketAddress, isSecure: Bool = false
    ) {
        self.head = head
        self.content = content
        self.peer = peer
        self.isSecure = isSecure
    }

    package var method: String { head.method }

    /// The value of a field that may occur once only; `nil` if there is none or more than one.
    /// - Parameter name: in lower case.
    package func field(_ name: String) -> String? {
        let values = head.fields.values(name)
        return values.count == 1 ? values[0] : nil
    }
}
