internal import Glibc

/// The machine that measured.
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
        let model = lines(of: "/proc/cpuinfo").first { $0.hasPrefix("model name") }
            .flatMap { $0.split(separator: ":").last }
            .map { String($0.drop { $0 == " " }) }
        var loads = [0.0]
        getloadavg(&loads, 1)
        return Host(
            processor: model ?? "unknown", coreCount: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
            kernel: kernel, load: loads[0])
    }

    /// The lines of a small file, none when there is no such file.
    static func lines(of path: String) -> [Substring] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while content.count < 1 << 20 {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { break }
            content += buffer[..<count]
        }
        return String(decoding: content, as: UTF8.self).split(separator: "\n")
    }
}
