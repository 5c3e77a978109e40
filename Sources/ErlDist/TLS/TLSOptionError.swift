public import ExternalTermFormat
internal import Transport

/// Why the file with the options for the distribution over TLS cannot be used: where the error is,
/// and in which option.
public struct TLSOptionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file's path.
    public var file: String
    /// The line, counted from 1; `nil` when the error concerns the whole file.
    public var line: Int?
    /// The part of the file; `nil` when the error concerns all of it.
    public var section: Section?
    /// The option as the file spells it; `nil` when the error concerns no single option.
    public var option: String?
    /// What is wrong.
    public var reason: Reason

    /// The two parts of an options file.
    public enum Section: String, Equatable, Sendable, CaseIterable {
        case server, client
    }

    /// What can be wrong with an options file.
    public enum Reason: Error, Equatable, Sendable {
        /// The file cannot be read; the text is the system's.
        case unreadable(String)
        /// Users who are not trusted could have written it. The text says what is wrong and what
        /// helps.
        case untrusted(String)
        case tooLong
        case syntax(TextError)
        /// The file is not one list of `{server, […]}` and `{client, […]}`.
        case notSections
        case unknownSection(String)
        case repeatedSection
        case missingSection
        /// Something in a section is not `{Option, Value}`.
        case notAnOption(String)
        /// The option is not supported. A hint says what to use instead, if anything.
        case unsupported(instead: String?)
        case repeated
        /// The option belongs to the other section.
        case onlyFor(Section)
        /// The option's value is wrong. `found` is `nil` for a secret value.
        case invalidValue(found: String?, wanted: String)
        /// This other option must be given too.
        case needs(String)
        /// The files that the options name cannot be loaded.
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
