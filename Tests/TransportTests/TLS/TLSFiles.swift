import Glibc
import Synchronization
import Testing

@testable import Transport

/// Certificates of every kind that a test needs, made once by the `openssl` program.
struct TLSFiles: Sendable {
    static let shared = Result { try TLSFiles() }

    let folder: String

    private init() throws {
        var template = Array("/tmp/deployex-tls-tests.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(text: "no temporary folder") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Self.removedAtExit.withLock { $0 = folder }
        atexit {
            let folder = TLSFiles.removedAtExit.withLock { $0 }
            if !folder.isEmpty { _ = try? ChildProcess(["rm", "-rf", folder]).wait() }
        }
        let (status, output) = try ChildProcess(["sh", "-ec", "cd \(folder)\n" + Self.script])
            .wait()
        guard status == 0 else { throw Failure(text: "making certificates: \(output)") }
    }

    private static let removedAtExit = Mutex("")

    struct Failure: Error { var text: String }

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
        chmod 600 *.key both.pem
        """#
}

/// A child with a socket as its input and output: unlike a pipe it is made close-on-exec in one
/// step.
///
/// The invariant behind `@unchecked Sendable`: one caller at a time.
final class ChildProcess: @unchecked Sendable {
    let pid: pid_t
    private let socket: Int32
    private var buffer: [UInt8] = []
    private var status: Int32?

    init(_ arguments: [String]) throws {
        signal(SIGPIPE, SIG_IGN)
        var pair: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &pair) == 0 else {
            throw TLSFiles.Failure(text: "no sockets")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in 0...2 {
            posix_spawn_file_actions_adddup2(&actions, pair[1], descriptor)
        }
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        let argv = arguments.map { strdup($0) } + [nil]
        let envp = [strdup("PATH=\(path)"), strdup("HOME=/tmp"), nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, arguments[0], &actions, nil, argv, envp)
        close(pair[1])
        socket = pair[0]
        self.pid = pid
        guard code == 0 else { throw TLSFiles.Failure(text: "cannot start \(arguments[0])") }
    }

    deinit {
        kill()
        close(socket)
    }

    func kill() {
        guard status == nil else { return }
        Glibc.kill(pid, SIGKILL)
        reap()
    }

    private func reap() {
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        self.status = status
    }

    func wait() throws -> (status: Int32, output: String) {
        while readMore() {}
        if status == nil { reap() }
        return (status ?? -1, String(decoding: buffer, as: UTF8.self))
    }

    func write(_ text: String) {
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(socket, $0.baseAddress, $0.count) }
    }

    /// The output up to the first line that contains `text`, within 20 s; it blocks.
    func line(containing text: String) throws -> String {
        let deadline = MonotonicTime.now + .seconds(20)
        while true {
            while let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                if line.contains(text) { return line }
            }
            var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard MonotonicTime.now < deadline, poll(&entry, 1, 1000) >= 0 else {
                throw TLSFiles.Failure(text: "no line with \(text) in time")
            }
            if entry.revents != 0, !readMore() {
                throw TLSFiles.Failure(text: "the program ended without a line with \(text)")
            }
        }
    }

    private func readMore() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(socket, &chunk, chunk.count)
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }
}
