/// Finds what answers a request, by its method and its path.
package struct Router<Answer: Sendable>: Sendable {
    package struct Route: Sendable {
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
        /// The parameters are in the order in which the pattern names them.
        case found(Answer, parameters: [String])
        /// The path exists, for these methods.
        case otherMethods([String])
        case notFound
    }

    private let routes: [Route]

    package init(_ routes: [Route]) {
        self.routes = routes
    }

    /// `HEAD` is answered as `GET` is; the server leaves out the content.
    package func match(method: String, path: RequestPath) -> Match {
        let method = method == "HEAD" ? "GET" : method
        var methods: [String] = []
        for route in routes {
            guard let parameters = Self.parameters(of: route.pattern, in: path.segments) else {
                continue
            }
            if route.method == method { return .found(route.answer, parameters: parameters) }
            methods.append(route.method)
        }
        return methods.isEmpty ? .notFound : .otherMethods(methods)
    }

    private static func parameters(of pattern: [String], in segments: [String]) -> [String]? {
        guard pattern.count == segments.count else { return nil }
        var found: [String] = []
        for (wanted, segment) in zip(pattern, segments) {
            if wanted.hasPrefix(":") {
                found.append(segment)
            } else if wanted != segment {
                return nil
            }
        }
        return found
    }
}
