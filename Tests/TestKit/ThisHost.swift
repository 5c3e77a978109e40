internal import Glibc

/// The host that the tests run on, and the program that runs them.
package enum ThisHost {
    /// The host's part of short node names, as OTP has it: where the machine's name has no domain,
    /// the name that the resolver gives its IPv4 address (`inet_config.erl`).
    package static let name: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, buffer.count - 1)
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let machine = String(decoding: bytes, as: UTF8.self)
        let full = machine.contains(".") ? machine : canonicalName(of: machine) ?? machine
        return String(full.prefix { $0 != "." })
    }()

    private static func canonicalName(of host: String) -> String? {
        var hints = addrinfo()
        hints.ai_family = AF_INET
        hints.ai_flags = AI_CANONNAME
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        return list?.pointee.ai_canonname.map { String(cString: $0) }
    }

    /// Our own environment variables.
    package static var environment: [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }

    package static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    package static let temporaryFolder = variable("TMPDIR") ?? "/tmp"

    /// Where programs are looked for.
    package static let path = variable("PATH") ?? "/usr/bin:/bin"

    /// A program's path, as the shell would find it.
    package static func find(_ name: String) throws(TestFailure) -> String {
        for folder in path.split(separator: ":") {
            let candidate = "\(folder)/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw TestFailure("\(name) is not installed: `make setup` installs it")
    }
}
