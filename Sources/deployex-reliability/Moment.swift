/// What deployex was doing when it was killed, as its log tells.
enum Moment: String, CaseIterable {
    case starting = "while it started"
    case staging, stopping
    case moving = "moving folders"
    case booting
    case upgrading = "upgrading in place"
    case watching = "between deployments"

    /// What a line begins.
    private static let marks: [(String, Moment)] = [
        ("Initialising monitor", .watching), ("Update is needed", .staging),
        ("HOT UPGRADE version DETECTED", .upgrading), ("to stop application pid", .stopping),
        (" stopped: ", .moving), ("Ensure running requested", .booting),
        ("executed with success", .booting),
    ]

    /// Lines that tell of no step of a deployment.
    private static let others = [
        "Initialising", "Registered", "Distribution", "Adopted", " is running",
    ]

    init(_ log: String) {
        var moment = Moment.starting
        var changing: Substring = " 0 "
        for line in log.split(separator: "\n") {
            if let mark = Self.marks.first(where: { line.contains($0.0) }) { moment = mark.1 }
            if let range = line.firstRange(of: "Update is needed at instance: ") {
                changing = line[range.upperBound...].prefix { $0.isNumber }
            }
            if line.hasSuffix("instance: \(changing) is running") { moment = .watching }
        }
        self = moment
    }

    /// How many steps a log tells of.
    static func steps(in log: String) -> Int {
        log.split(separator: "\n").count { line in
            !others.contains { line.contains($0) }
        }
    }
}
