internal import ErlDist
internal import Transport

/// TLS for the distribution, as the switches and the environment configure it.
enum TLSAccess {
    /// Loads the options file and the files that it names; `nil` for plain TCP. Without an options
    /// file, `DEPLOYEX_OTP_TLS_CERT_PATH` names the folder with `ca.crt`, `deployex.crt` and
    /// `deployex.key`.
    /// - Parameter owners: who may own these files.
    /// - Throws: ``UsageError`` that names the file, the line and the option.
    static func load(
        _ options: DistributionOptions, environment: [String: String],
        owners: TrustedUsers = TrustedUsers(),
        report: @escaping @Sendable (LogLevel, String) -> Void
    ) throws(UsageError) -> DistributionTLS? {
        let folder = environment["DEPLOYEX_OTP_TLS_CERT_PATH"] ?? ""
        guard let source = try options.tlsSource(certificateFolder: folder) else { return nil }
        do throws(TLSOptionError) {
            switch source {
            case .optionsFile(let file):
                return try DistributionTLS(optionsFile: file, owners: owners, report: report)
            case .folder(let folder):
                let text = optionsText(folder)
                return try DistributionTLS(
                    DistributionTLSOptions(text: text, file: folder).withFiles(of: owners),
                    file: folder, report: report)
            }
        } catch {
            throw UsageError("\(error)", nil)
        }
    }

    /// What to tell somebody who has named the folder of certificates and not asked for TLS.
    static func warning(
        _ options: DistributionOptions, environment: [String: String]
    ) -> String? {
        guard options.usesTLS == nil, environment["DEPLOYEX_OTP_TLS_CERT_PATH"]?.isEmpty == false
        else { return nil }
        return "DEPLOYEX_OTP_TLS_CERT_PATH is set, and the distribution is without TLS: it takes "
            + "ELIXIR_ERL_OPTIONS=\"-proto_dist inet_tls\""
    }

    /// The text of an options file for the certificates in one folder.
    private static func optionsText(_ folder: String) -> String {
        let escaped = folder.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        let common = """
            {certfile, "\(escaped)/deployex.crt"}, {keyfile, "\(escaped)/deployex.key"},
            {cacertfile, "\(escaped)/ca.crt"}, {verify, verify_peer}
            """
        return """
            [{server, [\(common), {fail_if_no_peer_cert, true}]},
             {client, [\(common), {server_name_indication, disable}]}].
            """
    }
}
