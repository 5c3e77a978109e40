public import Transport

/// The distribution over TLS, ready to use: its options have been read and its files have been
/// loaded.
///
/// New connections use a renewed certificate as soon as its files are in place. Files that cannot
/// be used are reported, and the former ones stay in use. The options themselves are read once.
public final class DistributionTLS: Sendable {
    /// The options that the file contains.
    public let options: DistributionTLSOptions
    private let server: TLSContext
    private let client: TLSContext

    /// Reads the options file and the files that it names, on the calling thread.
    /// - Parameters:
    ///   - owners: the users who may own the options file and the files that it names.
    ///   - report: hears, now and later, on any thread, what an operator should know: that a
    ///     certificate of ours has expired, or that files have been reloaded or could not be.
    public convenience init(
        optionsFile: String, owners: TrustedUsers = TrustedUsers(),
        report: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
    ) throws(TLSOptionError) {
        let text: String
        do throws(TrustedFile.Failure) {
            let contents = try FileContents(
                optionsFile, as: .file, owners: owners,
                maximumByteCount: DistributionTLSOptions.maximumByteCount)
            text = String(decoding: contents.bytes, as: UTF8.self)
        } catch {
            switch error {
            case .tooLarge: throw TLSOptionError(file: optionsFile, .tooLong)
            case .refused(let refusal): throw TLSOptionError(file: optionsFile, refusal)
            }
        }
        let options = try DistributionTLSOptions(text: text, file: optionsFile)
        try self.init(options.withFiles(of: owners), file: optionsFile, report: report)
    }

    /// Loads what the options name, on the calling thread.
    /// - Parameter file: the file that the options are from, for errors.
    public init(
        _ options: DistributionTLSOptions, file: String,
        report: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
    ) throws(TLSOptionError) {
        self.options = options
        do throws(TLSConfigurationError) {
            server = try TLSContext(options.server, role: .server) { Self.log($0, report) }
        } catch {
            throw TLSOptionError(file: file, section: .server, .unusable(error.description))
        }
        do throws(TLSConfigurationError) {
            // These are mostly the same files, which the first context has reported on.
            client = try TLSContext(options.client, role: .client) { text in
                guard options.client.certificateFile != options.server.certificateFile else {
                    return
                }
                Self.log(text, report)
            }
        } catch {
            throw TLSOptionError(file: file, section: .client, .unusable(error.description))
        }
    }

    private static func log(
        _ text: TLSContext.Report, _ report: @Sendable (LogLevel, String) -> Void
    ) {
        report(text == .reloaded ? .notice : .warning, text.description)
    }

    /// Looks at the files that accepted connections need, and returns when that is done, however
    /// long it takes.
    package func look() async {
        await server.look()
    }

    /// Puts TLS over a connection that was accepted, after a ``look()``. The handshake begins when
    /// the stream is started.
    /// - Parameter handshakeTimeout: how long the two handshakes may take: that of TLS, and that of
    ///   the distribution over it.
    /// - Throws: when no memory is left; then the connection is closed.
    package func accept(
        _ stream: TCPStream, on loop: EventLoop, limits: StreamLimits = StreamLimits(),
        handshakeTimeout: Duration
    ) throws(TLSConfigurationError) -> TLSStream {
        try TLSStream(
            accepting: stream, server, on: loop, limits: limits,
            handshakeTimeout: Self.timeout(handshakeTimeout))
    }

    /// Puts TLS over a connection that was made, once the files have been looked at. The handshake
    /// begins when the stream is started.
    /// - Parameters:
    ///   - host: the part of the node's name after the `@`.
    ///   - handshakeTimeout: how long the two handshakes may take: that of TLS, and that of the
    ///     distribution over it.
    /// - Throws: when `host` cannot be a server's name; then the connection is closed.
    package func connect(
        _ stream: TCPStream, to host: String, on loop: EventLoop,
        limits: StreamLimits = StreamLimits(), handshakeTimeout: Duration
    ) async throws(TLSConfigurationError) -> TLSStream {
        await client.look()
        return try TLSStream(
            connecting: stream, to: host, client, on: loop, limits: limits,
            handshakeTimeout: Self.timeout(handshakeTimeout))
    }

    /// TLS gives up before the handshake above it does, because it knows better what the peer has
    /// failed to send.
    private static func timeout(_ whole: Duration) -> Duration { whole * 9 / 10 }
}
