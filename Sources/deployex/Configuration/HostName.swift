internal import ErlDist
internal import Glibc
internal import Transport

/// The host's part of node names, as OTP's nodes on this host choose it.
///
/// They ask the host's resolver. In a file of hosts, the first name in a line is the host's: a line
/// `127.0.0.1 localhost server` gives `server` the name `localhost`. Source: `init/0` in
/// `inet_config.erl`, and `create_hostpart/2` in `net_kernel.erl`.
struct HostName: Equatable, Sendable {
    /// The host's part with `-sname NAME`: `server`.
    let short: String
    /// The host's part with `-name NAME`: `server.example.com`; `nil` if no domain is known, in
    /// which case OTP refuses.
    let long: String?

    /// - Parameters:
    ///   - machine: what `gethostname(2)` says.
    ///   - canonical: the name that the resolver gives the machine's IPv4 address; only needed if
    ///     no domain is known.
    ///   - resolverDomain: `domain` in `resolv.conf`, which matters only for long names.
    init(machine: String, canonical: String?, resolverDomain: String? = nil) {
        var (host, domain) = Self.split(machine.isEmpty ? "nohost.nodomain" : machine)
        if let resolverDomain, !resolverDomain.isEmpty { domain = resolverDomain }
        if domain.isEmpty, let canonical, !canonical.isEmpty {
            (host, domain) = Self.split(canonical)
        }
        short = host
        long = domain.isEmpty ? nil : "\(host).\(domain)"
    }

    private static func split(_ name: String) -> (host: String, domain: String) {
        let host = name.prefix { $0 != "." }
        return (String(host), String(name.dropFirst(host.count + 1)))
    }

    /// This host's names now. A resolver that does not answer soon is not waited for.
    static func current(usesLongNames: Bool, on loop: EventLoop) async -> HostName {
        let machine = OwnHost.machineName
        let domain = usesLongNames ? await offload { resolverDomain } : nil
        let canonical = await HostLookup.canonicalName(of: machine, on: loop)
        return HostName(machine: machine, canonical: canonical, resolverDomain: domain)
    }

    /// These names, or the one that the deployex of this host has given itself. The resolver may
    /// have another answer by now, and a long name may be an address.
    func naming(_ record: NodeRecord?, usesLongNames: Bool) -> HostName {
        guard let record, record.usesLongNames == usesLongNames, let host = record.host else {
            return self
        }
        return usesLongNames
            ? HostName(short: short, long: host) : HostName(short: host, long: long)
    }

    private init(short: String, long: String?) {
        self.short = short
        self.long = long
    }

    /// The names by which this host's nodes may call it.
    /// - Parameter host: the host's part of a node's name that is known to be on this host.
    func ownHost(and host: String? = nil) -> OwnHost {
        OwnHost([short] + [long, host].compactMap(\.self))
    }

    /// `text` as a node's name. A name without a host gets this host's name.
    func nodeName(_ text: String, usesLongNames: Bool) throws(UsageError) -> NodeName {
        let text = text.contains("@") ? text : "\(text)@\(dynamicHost(usesLongNames))"
        do throws(NodeNameError) {
            let name = try NodeName(text)
            guard name.isLong == usesLongNames || name.port != nil else {
                throw NodeNameError.missingHost
            }
            return name
        } catch {
            switch error {
            case .missingHost where text.contains("@") && !text.hasSuffix("@"):
                let remedy =
                    usesLongNames
                    ? "--name takes NAME@HOST.DOMAIN" : "with a dot in the host it needs --name"
                throw UsageError("\(text): \(remedy)", nil)
            default:
                throw UsageError("\(text) is not a node name: \(error)", nil)
            }
        }
    }

    /// The host's part for a node whose name does not say one.
    func dynamicHost(_ usesLongNames: Bool) -> String {
        usesLongNames ? long ?? short : short
    }

    // MARK: resolv.conf

    /// The domain that `/etc/resolv.conf` names. It blocks.
    private static var resolverDomain: String? {
        let raw = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        let file = FileDescriptor(owning: raw)
        do throws(SystemError) {
            let bytes = try file.readAll(limit: 64 << 10, "reading /etc/resolv.conf")
            return domain(resolvConf: String(decoding: bytes ?? [], as: UTF8.self))
        } catch {
            // An unreadable file counts as a missing one, as for the resolver itself.
            return nil
        }
    }

    /// The domain in the text of `resolv.conf`: the last one counts. Source: resolv.conf(5), and
    /// `resolv/2` in `inet_parse.erl`.
    static func domain(resolvConf text: String) -> String? {
        var domain: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.count > 1, words[0] == "domain" { domain = String(words[1]) }
        }
        return domain
    }
}
