/// Limits on what a peer may send.
package struct HTTPLimits: Equatable, Sendable {
    /// A start line and its header fields, with their ends. Default: 16 KiB.
    package var headByteCount = 16 << 10
    /// Header fields of one head. Default: 100.
    package var fieldCount = 100
    /// Interim (1xx) responses before the final one. Default: 8.
    package var interimCount = 8
    /// The content of one message. Beyond it the connection is closed. Default: 64 KiB.
    package var bodyByteCount = 64 << 10
    /// A line that begins a chunk, with its extensions. Default: 256.
    package var chunkLineByteCount = 256

    package init() {}
}
