import Transport

@testable import ErlDist

/// The reader of `inet_tls.conf`.
enum TLSOptionsTarget {
    static func check(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let options: DistributionTLSOptions
        do throws(TLSOptionError) {
            options = try DistributionTLSOptions(text: text, file: "inet_tls.conf")
        } catch {
            let lineCount = text.utf8.count { $0 == UInt8(ascii: "\n") } + 1
            if let line = error.line {
                try require((1...lineCount).contains(line), "line \(line) of \(lineCount)")
            }
            try require(error.description.hasPrefix("inet_tls.conf"), "\(error)")
            return
        }
        try require(options.server.certificateFile != nil, "a server without a certificate")
    }
}
