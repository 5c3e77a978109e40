internal import ExternalTermFormat

/// The answer of `deployex:status()` for people. What the answer lacks is shown as `-`: the node may
/// be of another version.
struct StatusTable {
    let lines: [String]

    init(_ status: Term) {
        var lines = [
            "\(Self.text(status, "node"))  deployex \(Self.text(status, "version"))"
                + "  up \(Self.duration(status, "uptime_seconds"))"
                + "  mTLS \(status["tls"] == .atom(.true) ? "on" : "off")"
        ]
        for application in status["apps"]?.asList ?? [] {
            lines += [
                "",
                "\(Self.text(application, "name"))  target version "
                    + Self.text(application, "target_version"),
            ]
            var table = Table(header: [
                "INSTANCE", "STATUS", "VERSION", "PREVIOUS", "LAST DEPLOYMENT", "OTP", "PID",
                "PORT",
                "UPTIME", "CRASHES", "FORCED",
            ])
            for instance in application["instances"]?.asList ?? [] {
                table.append([
                    Self.text(instance, "instance"), Self.text(instance, "status"),
                    Self.text(instance, "version"), Self.text(instance, "previous_version"),
                    Self.text(instance, "last_deployment"), Self.text(instance, "otp"),
                    Self.text(instance, "os_pid"), Self.text(instance, "port"),
                    Self.duration(instance, "uptime_seconds"),
                    Self.text(instance, "crash_restarts"), Self.text(instance, "forced_restarts"),
                ])
            }
            lines += table.lines
        }
        self.lines = lines
    }

    private static func text(_ map: Term, _ key: Atom) -> String {
        guard let value = map[key], value != .atom("null") else { return "-" }
        return value.asText ?? value.description
    }

    /// "42s", "5m 3s", "2h 5m", "3d 4h"
    private static func duration(_ map: Term, _ key: Atom) -> String {
        guard let seconds = map[key]?.asInteger, seconds >= 0 else { return "-" }
        return switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3_600: "\(seconds / 60)m \(seconds % 60)s"
        case ..<86_400: "\(seconds / 3_600)h \(seconds / 60 % 60)m"
        default: "\(seconds / 86_400)d \(seconds / 3_600 % 24)h"
        }
    }
}

extension Term {
    /// The value behind an atom in a map.
    fileprivate subscript(_ key: Atom) -> Term? {
        guard case .map(let map) = self else { return nil }
        return map[.atom(key)]
    }
}
