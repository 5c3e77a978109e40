internal import ExternalTermFormat
package import Transport

/// The options of the distribution over TLS, from the very file that a BEAM reads with
/// `-ssl_dist_optfile`.
///
/// ```erlang
/// [{server, [{certfile, "node.crt"}, {keyfile, "node.key"}, {cacertfile, "ca.crt"},
///            {verify, verify_peer}, {secure_renegotiate, true}]},
///  {client, [… , {server_name_indication, disable}]}].
/// ```
/// An unknown option is an error, never ignored. Two defaults are stricter than OTP's: without
/// `verify` the peer is verified, and without `fail_if_no_peer_cert` a server that verifies turns
/// away clients that have no certificate. Without `versions` both TLS 1.2 and 1.3 are spoken, where
/// OTP's distribution offers 1.2 only.
///
/// It reads no file: see ``DistributionTLS``. Source: "Using TLS for Erlang Distribution", ssl;
/// `inet_tls_dist.erl`.
public struct DistributionTLSOptions: Equatable, Sendable {
    package private(set) var server: TLSConfiguration
    package private(set) var client: TLSConfiguration

    /// Whether on every connection both sides show a certificate and have it checked.
    public var isMutual: Bool {
        server.verifiesPeer && server.requiresPeerCertificate && client.verifiesPeer
            && client.certificateFile != nil
    }

    /// The same options, whose files these users may own.
    package func withFiles(of owners: TrustedUsers) -> DistributionTLSOptions {
        var options = self
        options.server.fileOwners = owners
        options.client.fileOwners = owners
        return options
    }

    /// Reads the text of an options file.
    /// - Parameter file: its name, for errors.
    public init(text: String, file: String) throws(TLSOptionError) {
        let terms: [Term]
        do throws(TextError) {
            terms = try Term.consult(text, limits: Self.limits)
        } catch {
            throw TLSOptionError(file: file, line: error.line, .syntax(error))
        }
        guard terms.count == 1, let sections = terms.first?.asList else {
            throw TLSOptionError(file: file, .notSections)
        }
        let lines = TLSOptionLines(text)
        var found: [TLSOptionError.Section: TLSConfiguration] = [:]
        for term in sections {
            guard let pair = term.asTuple, pair.count == 2, let name = pair[0].asAtom?.name,
                let section = TLSOptionError.Section(rawValue: name), let options = pair[1].asList
            else {
                throw TLSOptionError(
                    file: file, .unknownSection(term.erlangText(maximumByteCount: 60)))
            }
            guard found[section] == nil else {
                throw TLSOptionError(
                    file: file, line: lines.line(in: section), section: section, .repeatedSection)
            }
            var reader = TLSOptionSection(section, file: file, lines: lines)
            found[section] = try reader.read(options)
        }
        guard let server = found[.server] else {
            throw TLSOptionError(file: file, section: .server, .missingSection)
        }
        guard let client = found[.client] else {
            throw TLSOptionError(file: file, section: .client, .missingSection)
        }
        self.server = server
        self.client = client
    }

    static let maximumByteCount = 1 << 20

    private static let limits = TextLimits(
        maximumDepth: 32, maximumTerms: 1 << 18, maximumByteCount: maximumByteCount)
}
