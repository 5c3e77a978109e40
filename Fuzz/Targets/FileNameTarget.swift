@testable import Deployment
@testable import Supervisor

/// Names of files that anybody may have put beside ours: what they say can be computed with, and is
/// written as the same name again.
enum FileNameTarget {
    static func check(_ bytes: [UInt8]) throws {
        // As the names of a folder are read.
        let name = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        for log in ["counter-1-stdout.log", "a.log"] {
            try checkPiece(name, of: log)
            try checkPiece(log + name, of: log)
            try checkPiece(log + ".rotating-" + name, of: log)
            try checkPiece(log + "." + name, of: log)
        }
        if let instance = InstanceRecordFolder.name(ofFile: name) {
            try require("\(instance).json" == name, "\(name) is another instance's")
            try require(instance.number >= 1, "\(name) has no number")
            _ = InstanceEnvironment.port(first: .max, instance: instance.number)
        }
        _ = Release.isVersion(name)
    }

    private static func checkPiece(_ name: String, of log: String) throws {
        guard let piece = LogPieceName(name, of: log) else { return }
        try require(log + piece.suffix == name, "\(name) is read as \(log + piece.suffix)")
        switch piece {
        case .copying: return
        case .piece(let start): _ = start + OpenedLog.maximumByteCount
        case .rotating(let start, let position):
            _ = start + OpenedLog.maximumByteCount
            _ = position + OpenedLog.maximumByteCount + OpenedLog.maximumByteCount
        }
    }
}
