package import Transport

/// Content that is written as it comes.
package struct HTTPDownload: Sendable {
    /// Whether the content of a response with this head is to be written.
    package var isWanted: @Sendable (HTTPResponseHead) -> Bool
    /// Beyond it the connection is closed.
    package var byteLimit: Int
    /// Writes the next part. It runs on a thread of the pool, one part after the other.
    package var write: @Sendable ([UInt8]) -> Result<Void, SystemError>
    /// How long the server may send nothing.
    package var idle: Duration

    package init(
        byteLimit: Int, idle: Duration = .seconds(30),
        isWanted: @escaping @Sendable (HTTPResponseHead) -> Bool = { 200...299 ~= $0.status },
        write: @escaping @Sendable ([UInt8]) -> Result<Void, SystemError>
    ) {
        self.isWanted = isWanted
        self.byteLimit = byteLimit
        self.write = write
        self.idle = idle
    }
}
