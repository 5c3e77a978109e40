public import Transport

/// The distribution over TLS, ready to use: options that have been read and files that have been
/// loaded.
///
/// A renewed certificate is used for new connections as soon as its files are in place; files that
/// cannot be used are reported, and the former ones stay in use. The options themselves are read
/// once.
public final class DistributionTLS: Sendable {
    /// What the file said.
    public let options: DistributionTLSOptions
    private let server: TLSContext
    private let client: TLSContext

    /// Reads the options file and what it names, on the calling thread.
    /// - Parameters:
    ///   - owners: whose the file and those that it names may be.
    ///   - report: hears, now and later, on any thread, what an operator should know: an expired
    ///     certificate of ours, files that have been reloaded or could not be.
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
    /// - Parameter file: where the options are from, for errors.
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
            // Mostly the same files: what there is to say of them has been said.
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

    /// Returns when the files for connections that are accepted have been looked at, however long
    /// that takes.
    package func look() async {
        await server.look()
    }

    /// TLS over a connection that was accepted, after a ``look()``; the handshake begins when it is
    /// started.
    /// - Parameter handshakeTimeout: how long the handshakes may take, that of TLS and that of the
    ///   distribution over it.
    /// - Throws: when no memory is left; then the connection is closed.
    package func accept(
        _ stream: TCPStream, on loop: EventLoop, limits: StreamLimits = StreamLimits(),
        handshakeTimeout: Duration
    ) throws(TLSConfigurationError) -> TLSStream {
        try TLSStream(
            accepting: stream, server, on: loop, limits: limits,
            handshakeTimeout: Self.timeout(handshakeTimeout))
    }

    /// TLS over a connection that was made; the handshake begins when it is started. It returns
    /// when the files have been looked at.
    /// - Parameters:
    ///   - host: what stands after the `@` of the node's name.
    ///   - handshakeTimeout: how long the handshakes may take, that of TLS and that of the
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

    /// TLS gives up before the handshake above it does: it knows better what the peer has not said.
    private static func timeout(_ whole: Duration) -> Duration { whole * 9 / 10 }
}
