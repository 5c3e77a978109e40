/// What `ELIXIR_ERL_OPTIONS` says after `-kernel`, as for a BEAM.
enum KernelSwitches {
    /// The parameters by name, without the quotes that a shell or Erlang would want around values.
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
