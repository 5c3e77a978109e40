public import ExternalTermFormat
internal import Transport

/// Why a file with options for the distribution over TLS cannot be used: where, and which option.
public struct TLSOptionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file's path.
    public var file: String
    /// Counted from 1; `nil` when it concerns the whole file.
    public var line: Int?
    /// The part of the file; `nil` when it concerns all of it.
    public var section: Section?
    /// The option as the file spells it; `nil` when it concerns no single one.
    public var option: String?
    /// What is wrong.
    public var reason: Reason

    /// The two parts of such a file.
    public enum Section: String, Equatable, Sendable, CaseIterable {
        case server, client
    }

    /// What can be wrong with such a file.
    public enum Reason: Error, Equatable, Sendable {
        /// The system's words.
        case unreadable(String)
        /// Others than trusted users could have written it: what is in the way, and what helps.
        case untrusted(String)
        case tooLong
        case syntax(TextError)
        /// It is not one list of `{server, […]}` and `{client, […]}`.
        case notSections
        case unknownSection(String)
        case repeatedSection
        case missingSection
        /// Something in a section is not `{Option, Value}`.
        case notAnOption(String)
        /// With a hint, where there is something to use instead.
        case unsupported(instead: String?)
        case repeated
        /// The option belongs to the other section.
        case onlyFor(Section)
        /// `found` is `nil` for what is secret.
        case invalidValue(found: String?, wanted: String)
        /// Another option must stand beside it.
        case needs(String)
        /// The files that it names cannot be loaded.
        case unusable(String)
    }

    init(
        file: String, line: Int? = nil, section: Section? = nil, option: String? = nil,
        _ reason: Reason
    ) {
        self.file = file
        self.line = line
        self.section = section
        self.option = option
        self.reason = reason
    }

    init(file: String, _ refusal: PathTrustError) {
        let reason: Reason =
            if case .system(let error) = refusal.reason {
                .unreadable(SystemError.text(error.code))
            } else {
                .untrusted("\(refusal)")
            }
        self.init(file: file, reason)
    }

    /// "/tmp/inet_tls.conf:7: client option depth: …"
    public var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        guard let section else { return "\(place): \(reason)" }
        let subject = option.map { "option \($0)" } ?? "section"
        return "\(place): \(section.rawValue) \(subject): \(reason)"
    }
}

extension TLSOptionError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let reason): "cannot be read: \(reason)"
        case .untrusted(let refusal): "is not used: \(refusal)"
        case .tooLong: "the file is too long"
        case .syntax(let error): "column \(error.column): \(error.reason)"
        case .notSections: "expected [{server, [...]}, {client, [...]}]. and nothing else"
        case .unknownSection(let found): "expected {server, [...]} or {client, [...]}, not \(found)"
        case .repeatedSection: "there are two of it"
        case .missingSection: "it is missing"
        case .notAnOption(let found): "expected {Option, Value}, not \(found)"
        case .unsupported(nil): "is not supported"
        case .unsupported(let instead?): "is not supported: \(instead)"
        case .repeated: "is given twice"
        case .onlyFor(let section): "belongs to the \(section.rawValue) section only"
        case .invalidValue(let found?, let wanted): "expected \(wanted), not \(found)"
        case .invalidValue(nil, let wanted): "expected \(wanted)"
        case .needs(let other): "needs \(other) as well"
        case .unusable(let reason): reason
        }
    }
}
