/// The parameters after `-kernel` in `ELIXIR_ERL_OPTIONS`, as a BEAM would read them.
enum KernelSwitches {
    /// The parameters by name. Quotes and backslashes, which a shell or Erlang would need, are
    /// removed from values.
    static func parameters(_ environment: [String: String]) -> [String: String] {
        let words = (environment["ELIXIR_ERL_OPTIONS"] ?? "").split(whereSeparator: \.isWhitespace)
        var parameters: [String: String] = [:]
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word == "-kernel" else { continue }
            while rest.count >= 2, let key = rest.first, !key.hasPrefix("-"), !key.hasPrefix("+") {
                rest.removeFirst()
                let value = rest.removeFirst().filter { !"\"'\\".contains($0) }
                parameters[String(key)] = String(value)
            }
        }
        return parameters
    }
}
