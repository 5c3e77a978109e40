internal import ExternalTermFormat
internal import Transport

/// Reads one section of the options, see ``DistributionTLSOptions``.
struct TLSOptionSection {
    private typealias Reason = TLSOptionError.Reason

    private let section: TLSOptionError.Section
    private let file: String
    private let lines: TLSOptionLines
    private var configuration = TLSConfiguration()
    private var seen: Set<String> = []
    private var revocationScope: RevocationCheck.Scope?
    private var revocationFolder: String?

    init(_ section: TLSOptionError.Section, file: String, lines: TLSOptionLines) {
        self.section = section
        self.file = file
        self.lines = lines
    }

    mutating func read(_ options: [Term]) throws(TLSOptionError) -> TLSConfiguration {
        for option in options {
            guard let pair = option.asTuple, pair.count == 2, let name = pair[0].asAtom?.name else {
                // It may hold a password.
                let found = option.asAtom.map { "\($0)" } ?? "another term"
                throw error(.notAnOption(found))
            }
            guard seen.insert(name).inserted else {
                throw error(.repeated, of: name, occurrence: 1)
            }
            do throws(Reason) {
                try apply(name, pair[1])
            } catch {
                throw self.error(error, of: name)
            }
        }
        try checkTogether()
        return configuration
    }

    /// The reason together with its place: an option, or the section as a whole.
    private func error(
        _ reason: Reason, of option: String? = nil, occurrence: Int = 0
    ) -> TLSOptionError {
        TLSOptionError(
            file: file, line: lines.line(of: option, occurrence: occurrence, in: section),
            section: section, option: option, reason)
    }

    // MARK: Options

    private mutating func apply(_ name: String, _ value: Term) throws(Reason) {
        switch name {
        case "certfile": configuration.certificateFile = try path(value)
        case "keyfile": configuration.keyFile = try path(value)
        case "cacertfile": configuration.authorities = .files([try path(value)])
        case "password":
            guard let password = value.asText else {
                throw .invalidValue(found: nil, wanted: "a string")
            }
            configuration.keyPassword = password
        case "verify":
            switch value.asAtom {
            case "verify_peer": configuration.verifiesPeer = true
            case "verify_none": configuration.verifiesPeer = false
            default: throw .invalid(value, wanted: "verify_peer or verify_none")
            }
        case "fail_if_no_peer_cert":
            try require(.server)
            configuration.requiresPeerCertificate = try bool(value)
        case "server_name_indication":
            try require(.client)
            configuration.serverName = try serverName(value)
        case "depth":
            guard let depth = value.asInteger, (0...255).contains(depth) else {
                throw .invalid(value, wanted: "a number from 0 to 255")
            }
            configuration.maximumDepth = depth
        case "versions": configuration.versions = try versions(value)
        case "ciphers": try setCiphers(value)
        case "crl_check": revocationScope = try revocationScope(value)
        case "crl_cache": revocationFolder = try revocationFolder(value)
        case "honor_cipher_order":
            try require(.server)
            configuration.prefersOwnCipherOrder = try bool(value)
        default: try applyWithoutEffect(name, value)
        }
    }

    /// Accepts options that are always in force here, and options that only tune the BEAM.
    private func applyWithoutEffect(_ name: String, _ value: Term) throws(Reason) {
        switch name {
        case "secure_renegotiate", "ktls":
            // Renegotiation is always off here, and the encryption stays in this process.
            _ = try bool(value)
        case "reuse_sessions":
            guard value.asBool != nil || value.asAtom == "save" else {
                throw .invalid(value, wanted: "true, false or save")
            }
        case "client_renegotiation":
            guard value.asBool == false else {
                throw .unsupported(instead: "only false is, nothing is renegotiated")
            }
        case "session_tickets":
            guard value.asAtom == "disabled" else {
                throw .unsupported(instead: "only disabled is")
            }
        case "hibernate_after", "log_level":
            return
        default: throw .unsupported(instead: Self.instead[name])
        }
    }

    private static let instead: [String: String] = [
        "cert": "use certfile", "key": "use keyfile", "cacerts": "use cacertfile",
        "certs_keys": "use certfile and keyfile",
        "verify_fun": "chain, host name and key usage are always checked by verify_peer",
    ]

    private func require(_ wanted: TLSOptionError.Section) throws(Reason) {
        guard section == wanted else { throw .onlyFor(wanted) }
    }

    // MARK: Values

    private func path(_ value: Term) throws(Reason) -> String {
        guard let path = value.asText, !path.isEmpty, !path.utf8.contains(0) else {
            throw .invalid(value, wanted: "the name of a file")
        }
        return path
    }

    private func bool(_ value: Term) throws(Reason) -> Bool {
        guard let bool = value.asBool else { throw .invalid(value, wanted: "true or false") }
        return bool
    }

    private func serverName(_ value: Term) throws(Reason) -> TLSConfiguration.ServerName {
        if value.asAtom == "disable" { return .unchecked }
        guard let name = value.asText, !name.isEmpty, !name.utf8.contains(0) else {
            throw .invalid(value, wanted: "disable or a host name")
        }
        return .fixed(name)
    }

    private func versions(_ value: Term) throws(Reason) -> ClosedRange<TLSVersion> {
        let wanted = "a list of 'tlsv1.2' and 'tlsv1.3'"
        guard let list = value.asList else { throw .invalid(value, wanted: wanted) }
        var versions: [TLSVersion] = []
        for element in list {
            switch element.asAtom {
            case "tlsv1.2": versions.append(.tls12)
            case "tlsv1.3": versions.append(.tls13)
            default: throw .invalid(element, wanted: wanted)
            }
        }
        guard let first = versions.min(), let last = versions.max() else {
            throw .invalid(value, wanted: wanted)
        }
        return first...last
    }

    private mutating func setCiphers(_ value: Term) throws(Reason) {
        let wanted = "a list of cipher names or maps"
        var names: [TLSCipherName] = []
        // A list of characters is one string, in which colons separate the names.
        if let text = value.asText, value.asList?.isEmpty != true,
            value.asBinary != nil || value.asList?.first?.asInteger != nil
        {
            for part in text.split(separator: ":", omittingEmptySubsequences: false) {
                guard let name = TLSCipherName(part) else {
                    throw .invalidValue(
                        found: "\"\(part.prefix(60))\"", wanted: "the name of a cipher")
                }
                names.append(name)
            }
        } else {
            guard let list = value.asList, !list.isEmpty else {
                throw .invalid(value, wanted: wanted)
            }
            for element in list {
                guard let name = TLSCipherName(element) else {
                    throw .invalid(element, wanted: "the name of a cipher, or its map")
                }
                names.append(name)
            }
        }
        configuration.ciphers = names.filter { !$0.isTLS13 }.map(\.name)
        configuration.suites = names.filter(\.isTLS13).map(\.name)
    }

    private func revocationScope(_ value: Term) throws(Reason) -> RevocationCheck.Scope? {
        switch value.asAtom {
        case "true": return .chain
        case "peer": return .peer
        case "best_effort": return .bestEffort
        case "false": return nil
        default: throw .invalid(value, wanted: "true, peer, best_effort or false")
        }
    }

    private static let cacheForm = #"{ssl_crl_hash_dir, {internal, [{dir, "FOLDER"}]}}"#

    private func revocationFolder(_ value: Term) throws(Reason) -> String {
        guard let cache = value.asTuple, cache.count == 2, let module = cache[0].asAtom else {
            throw .invalid(value, wanted: Self.cacheForm)
        }
        // The other modules are a BEAM's lists in memory, or modules of its own: they need a BEAM.
        guard module == "ssl_crl_hash_dir" else {
            throw .unsupported(instead: "use \(Self.cacheForm)")
        }
        guard let arguments = cache[1].asTuple, arguments.count == 2,
            arguments[0].asAtom == "internal", let list = arguments[1].asList, list.count == 1,
            let pair = list[0].asTuple, pair.count == 2, pair[0].asAtom == "dir"
        else { throw .invalid(value, wanted: Self.cacheForm) }
        return try path(pair[1])
    }

    // MARK: All together

    private mutating func checkTogether() throws(TLSOptionError) {
        if section == .server, configuration.certificateFile == nil {
            throw error(.needs("certfile"))
        }
        if configuration.keyFile != nil, configuration.certificateFile == nil {
            throw error(.needs("certfile"), of: "keyfile")
        }
        if configuration.verifiesPeer, configuration.authorities == .files([]) {
            throw error(.needs("cacertfile"), of: seen.contains("verify") ? "verify" : nil)
        }
        if !configuration.verifiesPeer {
            if seen.contains("fail_if_no_peer_cert"), configuration.requiresPeerCertificate {
                throw error(.needs("{verify, verify_peer}"), of: "fail_if_no_peer_cert")
            }
            configuration.requiresPeerCertificate = false
        }
        if let scope = revocationScope {
            guard configuration.verifiesPeer else {
                throw error(.needs("{verify, verify_peer}"), of: "crl_check")
            }
            guard let folder = revocationFolder else {
                throw error(.needs("{crl_cache, \(Self.cacheForm)}"), of: "crl_check")
            }
            configuration.revocation = RevocationCheck(scope: scope, folder: folder)
        }
        try fitVersionsToCiphers()
    }

    /// Drops a version for which no cipher is listed.
    private mutating func fitVersionsToCiphers() throws(TLSOptionError) {
        guard let ciphers = configuration.ciphers, let suites = configuration.suites else { return }
        var versions = TLSVersion.allCases.filter { configuration.versions.contains($0) }
        versions.removeAll { ($0 == .tls12 ? ciphers : suites).isEmpty }
        guard let first = versions.min(), let last = versions.max() else {
            throw error(.needs("a cipher of one of the versions"), of: "ciphers")
        }
        configuration.versions = first...last
        if ciphers.isEmpty { configuration.ciphers = nil }
        if suites.isEmpty { configuration.suites = nil }
    }
}

extension TLSOptionError.Reason {
    fileprivate static func invalid(_ value: Term, wanted: String) -> Self {
        .invalidValue(found: value.erlangText(maximumByteCount: 60), wanted: wanted)
    }
}
