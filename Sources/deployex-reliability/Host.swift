internal import Glibc

/// The machine that measures.
struct Host {
    var processor: String
    var coreCount: Int
    var kernel: String
    /// The load average of the last minute: what else it had to do.
    var load: Double

    static var current: Host {
        var names = utsname()
        uname(&names)
        let kernel = withUnsafeBytes(of: &names.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let model = ProcFiles.text("/proc/cpuinfo").split(separator: "\n")
            .first { $0.hasPrefix("model name") }.flatMap { $0.split(separator: ":").last }
            .map { String($0.drop { $0 == " " }) }
        var loads = [0.0]
        getloadavg(&loads, 1)
        return Host(
            processor: model ?? "unknown", coreCount: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
            kernel: kernel, load: loads[0])
    }

    var line: String {
        "\(processor), \(coreCount) cores, Linux \(kernel), load "
            + "\(Figure.decimal(load, digits: 1)) at the start"
    }

    /// The host's part of short node names.
    static let name: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, buffer.count - 1)
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
        return String(text.prefix { $0 != "." })
    }()
}

/// Our own environment variables.
enum Environment {
    static var path: String { getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin" }

    /// A program's path, as the shell would find it.
    static func find(_ name: String) throws(MeasureError) -> String {
        for folder in path.split(separator: ":") {
            let candidate = "\(folder)/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw MeasureError("\(name) is not installed: `make setup` installs it")
    }
}
