import Foundation
import TestKit

/// Certificates for nodes, made by openssl in a folder that the peers see too.
///
/// A certificate has a name, which is its file's and its subject's. `node` is always there.
struct DistCertificates: Sendable {
    private let folder: SharedFolder
    private let host: String

    /// Makes an authority and `node.crt`, which is for this host under all the names that tests use.
    init(host: String) throws {
        folder = try SharedFolder()
        self.host = host
        try makeAuthority("ca")
        try make("node", signedBy: "ca")
    }

    /// The names of this host in the tests.
    private var hostNames: [String] { [host, "localhost", "127.0.0.1", "127.0.1.1", "::1"] }

    func makeAuthority(_ name: String) throws {
        let path = folder.location
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
                + " -keyout \(path)/\(name).key -out \(path)/\(name).crt"
                + " -addext keyUsage=critical,keyCertSign,cRLSign",
            "-subj", "/CN=\(name) of \(folder.path.split(separator: "-").last ?? "")")
    }

    /// - Parameter names: other than this host's.
    func make(
        _ name: String, signedBy authority: String, names: [String]? = nil,
        validity: (String, String) = ("20000101000000Z", "20991231235959Z")
    ) throws {
        let path = folder.location
        let alternatives = (names ?? hostNames).enumerated().map { index, text in
            let isAddress =
                text.allSatisfy { $0.isHexDigit || $0 == "." || $0 == ":" }
                && text.contains { $0 == "." || $0 == ":" }
            return "DNS.\(index) = \(text)\n" + (isAddress ? "IP.\(index) = \(text)\n" : "")
        }
        try Data(
            """
            [ca]
            default_ca = here
            [here]
            database = \(path)/index
            new_certs_dir = \(path)
            rand_serial = yes
            default_md = sha256
            policy = any
            [any]
            commonName = supplied
            [leaf]
            basicConstraints = critical,CA:FALSE
            keyUsage = critical,digitalSignature
            extendedKeyUsage = serverAuth,clientAuth
            subjectAltName = @names
            [names]
            \(alternatives.joined())
            """.utf8
        ).write(to: URL(fileURLWithPath: "\(path)/openssl.cnf"))
        try Data().write(to: URL(fileURLWithPath: "\(path)/index"))
        try openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name)"
                + " -keyout \(path)/\(name).key -out \(path)/\(name).csr")
        // `openssl x509` of OpenSSL 3.0 knows no beginning.
        try openssl(
            "ca -batch -notext -config \(path)/openssl.cnf -extensions leaf -in \(path)/\(name).csr"
                + " -cert \(path)/\(authority).crt -keyfile \(path)/\(authority).key"
                + " -startdate \(validity.0) -enddate \(validity.1) -out \(path)/\(name).crt")
    }

    /// The file for `-ssl_dist_optfile`, for both sides.
    /// - Parameters:
    ///   - certificate: the one that is shown; `nil` for a client that shows none.
    ///   - trusting: the authorities that are trusted.
    func optionsFile(
        version: String, certificate: String? = "node", trusting authorities: [String] = ["ca"]
    ) throws -> String {
        let name = "\(certificate ?? "none")-\(authorities.joined(separator: "-"))-\(version)"
        let path = folder.path
        let bundle = try authorities.map {
            try String(contentsOfFile: "\(folder.location)/\($0).crt", encoding: .utf8)
        }
        try Data(bundle.joined().utf8).write(
            to: URL(fileURLWithPath: "\(folder.location)/\(name).pem"))
        func shown(_ certificate: String) -> String {
            #"{certfile,"\#(path)/\#(certificate).crt"},{keyfile,"\#(path)/\#(certificate).key"},"#
        }
        let common =
            #"{cacertfile,"\#(path)/\#(name).pem"},{verify,verify_peer},{versions,['\#(version)']}"#
        let text = """
            [{server,[\(shown(certificate ?? "node"))\(common),{fail_if_no_peer_cert,true}]},
             {client,[\(certificate.map(shown) ?? "")\(common)]}].

            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder.location)/\(name).conf"))
        return "\(path)/\(name).conf"
    }

    /// Runs the host's openssl, quietly. What its words are is told by spaces.
    private func openssl(_ command: String, _ more: String...) throws {
        try ChildProcess.run("openssl", command.split(separator: " ").map(String.init) + more)
    }
}
