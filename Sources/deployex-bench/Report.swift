internal import TestKit

/// One line of the result.
struct Row {
    /// What the target of a ratio says.
    enum Target {
        case atMost(Double)
        case atLeast(Double)
        /// A bound for our own figure, whatever the peer's.
        case oursBelow(Double)
    }

    var measure: String
    var unit: String
    var peer: String
    var series: Series
    var target: Target?
    /// What one operation of ours takes, if instructions are counted.
    var instructions: Double?

    var ours: Double { Samples(series.ours).median }
    /// `nil` when it is measured against nothing.
    var theirs: Double? { series.peer.isEmpty ? nil : Samples(series.peer).median }
    var ratio: Double? { series.peer.isEmpty ? nil : Samples(series.ratios).median }

    /// The ratios' lower and upper quartile.
    var middleHalf: (low: Double, high: Double)? {
        guard !series.peer.isEmpty else { return nil }
        let ratios = Samples(series.ratios)
        return (ratios.quantile(0.25), ratios.quantile(0.75))
    }

    var isMet: Bool? {
        switch target {
        case .atMost(let bound)?: ratio.map { $0 <= bound }
        case .atLeast(let bound)?: ratio.map { $0 >= bound }
        case .oursBelow(let bound)?: ours < bound
        case nil: nil
        }
    }

    var targetText: String {
        switch target {
        case .atMost(let bound)?: "≤ \(decimal(bound, digits: 2)) ×"
        case .atLeast(let bound)?: "≥ \(decimal(bound, digits: 2)) ×"
        case .oursBelow(let bound)?: "< \(decimal(bound, digits: 0)) \(unit)"
        case nil: "–"
        }
    }
}

/// The result of a run, for people and for programs.
struct Report {
    var machine: Machine
    var otp: String
    var rows: [Row] = []

    var table: String {
        var cells = [
            [
                "measure", "unit", "ours", "peer", "", "ratio", "(middle half)", "target", "met",
                "instr.",
            ]
        ]
        for row in rows {
            cells.append([
                row.measure, row.unit, Figure.text(row.ours),
                row.theirs.map { Figure.text($0) } ?? "–", row.peer,
                row.ratio.map { decimal($0, digits: 2) } ?? "–",
                row.middleHalf.map { low, high in
                    "(\(decimal(low, digits: 2))–\(decimal(high, digits: 2)))"
                } ?? "",
                row.targetText, row.isMet.map { $0 ? "yes" : "no" } ?? "–",
                row.instructions.map { Figure.text($0) } ?? "–",
            ])
        }
        let head =
            machine.line + ", OTP \(otp)\n\(Instructions.line)\n"
        return head + Self.aligned(cells, rightAligned: [2, 3, 5, 9]).joined(separator: "\n")
    }

    private static func aligned(_ rows: [[String]], rightAligned: Set<Int>) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += (rightAligned.contains(column) ? padding + cell : cell + padding) + "  "
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    var json: String {
        let lines = rows.map { row in
            func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }
            let fields = [
                "\"measure\":\(Self.quoted(row.measure))", "\"unit\":\(Self.quoted(row.unit))",
                "\"peer_name\":\(Self.quoted(row.peer))", "\"ours\":\(row.ours)",
                "\"peer\":\(number(row.theirs))", "\"ratio\":\(number(row.ratio))",
                "\"ratio_q1\":\(number(row.middleHalf?.low))",
                "\"ratio_q3\":\(number(row.middleHalf?.high))",
                "\"rounds\":\(row.series.ours.count)",
                "\"target\":\(row.target == nil ? "null" : Self.quoted(row.targetText))",
                "\"met\":\(row.isMet.map { "\($0)" } ?? "null")",
                "\"instructions\":\(number(row.instructions))",
            ]
            return "    {\(fields.joined(separator: ","))}"
        }
        return """
            {
              "processor":\(Self.quoted(machine.processor)),
              "cores":\(machine.coreCount),
              "kernel":\(Self.quoted(machine.kernel)),
              "load":\(machine.load),
              "otp":\(Self.quoted(otp)),
              "rows":[
            \(lines.joined(separator: ",\n"))
              ]
            }
            """
    }

    /// Swift quotes as JSON does where there are no control characters.
    private static func quoted(_ text: String) -> String {
        text.filter { !$0.isNewline }.debugDescription
    }
}

/// Numbers for people.
enum Figure {
    /// Three or more significant digits.
    static func text(_ value: Double) -> String {
        decimal(value, digits: value < 10 ? 2 : value < 100 ? 1 : 0)
    }
}
