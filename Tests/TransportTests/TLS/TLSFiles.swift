import Glibc
import Synchronization
import TestKit
import Testing

@testable import Transport

/// Certificates of every kind that a test needs, made once by the `openssl` program.
struct TLSFiles: Sendable {
    static let shared = Result { try TLSFiles() }

    private let owner: TemporaryFolder
    var folder: String { owner.path }

    private init() throws {
        owner = TemporaryFolder("tls-tests")
        Self.removedAtExit.withLock { $0 = owner.path }
        atexit {
            let folder = TLSFiles.removedAtExit.withLock { $0 }
            if !folder.isEmpty { _ = try? ChildProcess.run("rm", ["-rf", folder]) }
        }
        try ChildProcess.run("sh", ["-ec", "cd \(folder)\n" + Self.script])
    }

    private static let removedAtExit = Mutex("")

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// A configuration with that certificate, trusting that authority.
    func configuration(
        _ certificate: String?, trusting authority: String = "ca",
        versions: ClosedRange<TLSVersion> = .tls12 ... .tls13
    ) -> TLSConfiguration {
        var configuration = TLSConfiguration()
        configuration.certificateFile = certificate.map { path("\($0).crt") }
        configuration.keyFile = certificate.map { path("\($0).key") }
        configuration.authorities = .files([path("\(authority).crt")])
        configuration.versions = versions
        return configuration
    }

    private static let script = #"""
        cat >cnf <<EOF
        [req]
        prompt = no
        distinguished_name = name
        [name]
        CN = \$ENV::CN
        [authority]
        basicConstraints = critical, CA:TRUE
        keyUsage = critical, keyCertSign, cRLSign
        [node]
        basicConstraints = critical, CA:FALSE
        extendedKeyUsage = serverAuth, clientAuth
        subjectAltName = \$ENV::SAN
        [server]
        basicConstraints = critical, CA:FALSE
        extendedKeyUsage = serverAuth
        subjectAltName = \$ENV::SAN
        [nameless]
        basicConstraints = critical, CA:FALSE
        [anonymous]
        authorityKeyIdentifier = none
        subjectAltName = \$ENV::SAN
        [ca]
        default_ca = dated
        [dated]
        database = index
        new_certs_dir = .
        rand_serial = yes
        default_md = sha256
        policy = any
        [any]
        commonName = supplied
        EOF
        : >index
        export SAN=DNS:node,DNS:localhost,IP:127.0.0.1 CN
        key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key; }
        authority() {
            CN=$2; key $1
            openssl req -new -x509 -config cnf -extensions authority -key $1.key -days 30 -out $1.crt
        }
        leaf() { # name, signer, extensions, days
            CN=$1; key $1
            openssl req -new -config cnf -key $1.key -out $1.csr
            openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -set_serial 0x$(openssl rand -hex 8) \
                -days $4 -extfile cnf -extensions $3 -out $1.crt
        }
        authority ca 'test CA'
        authority other 'another CA'
        authority twin 'test CA'
        leaf node ca node 30
        leaf renewed ca node 30
        leaf stranger other node 30
        leaf impostor twin node 30
        leaf forged twin anonymous 30
        leaf expired ca node -1
        leaf serveronly ca server 30
        leaf nameless ca nameless 30
        SAN=DNS:elsewhere,DNS:farther leaf elsewhere ca node 30
        leaf middle ca authority 30
        leaf far middle node 30
        cat middle.crt >>far.crt
        CN=early; key early
        openssl req -new -config cnf -key early.key -out early.csr
        openssl ca -batch -notext -config cnf -extensions node -in early.csr -cert ca.crt -keyfile ca.key \
            -startdate 20990101000000Z -enddate 21000101000000Z -out early.crt
        CN=selfsigned; key selfsigned
        openssl req -new -x509 -config cnf -extensions node -key selfsigned.key -days 30 -out selfsigned.crt
        openssl pkey -in node.key -aes128 -passout pass:sesame -out locked.key
        cp node.crt locked.crt
        cat node.crt node.key >both.pem
        cat node.crt node.key >opened.pem
        echo nothing >nothing.pem
        chmod 600 nothing.pem
        leaf revoked ca node 30
        mkdir crls empty old
        openssl ca -config cnf -cert ca.crt -keyfile ca.key -revoke revoked.crt
        list() { # folder, days
            openssl ca -config cnf -cert ca.crt -keyfile ca.key -gencrl $2 -out $1/ca.crl
            cp $1/ca.crl $1/$(openssl x509 -in ca.crt -noout -hash).r0
        }
        list crls '-crldays 30'
        list old '-crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z'
        chmod 600 *.key both.pem opened.pem
        """#
}
