/// Finds what answers a request, by its method and its path.
package struct Router<Answer: Sendable>: Sendable {
    package struct Entry: Sendable {
        var method: String
        var pattern: [String]
        var answer: Answer

        /// - Parameter pattern: such as `/apps/:app/restart`. What begins with `:` stands for any one
        ///   segment, and is a parameter.
        package init(_ method: String, _ pattern: String, _ answer: Answer) {
            self.method = method
            self.pattern = pattern.split(separator: "/").map(String.init)
            self.answer = answer
        }
    }

    package enum Match {
        /// The parameters have the names that the pattern gives them.
        case found(Answer, parameters: [String: String])
        /// The path exists, for these methods.
        case otherMethods([String])
        case notFound
    }

    private let entries: [Entry]

    package init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// `HEAD` is answered as `GET` is; the server leaves out the content.
    package func match(method: String, path: RequestPath) -> Match {
        let method = method == "HEAD" ? "GET" : method
        var methods: [String] = []
        for entry in entries {
            guard let parameters = Self.parameters(of: entry.pattern, in: path.segments) else {
                continue
            }
            if entry.method == method { return .found(entry.answer, parameters: parameters) }
            methods.append(entry.method)
        }
        return methods.isEmpty ? .notFound : .otherMethods(methods)
    }

    private static func parameters(of pattern: [String], in segments: [String]) -> [String: String]?
    {
        guard pattern.count == segments.count else { return nil }
        var found: [String: String] = [:]
        for (wanted, segment) in zip(pattern, segments) {
            if wanted.hasPrefix(":") {
                found[String(wanted.dropFirst())] = segment
            } else if wanted != segment {
                return nil
            }
        }
        return found
    }
}
