internal import Glibc

/// The machine that measures.
package struct Machine: Sendable {
    package var processor: String
    package var coreCount: Int
    package var kernel: String
    /// The load average of the last minute: what else it had to do.
    package var load: Double

    package static var current: Machine {
        var names = utsname()
        uname(&names)
        let kernel = withUnsafeBytes(of: &names.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        var loads = [0.0]
        getloadavg(&loads, 1)
        return Machine(
            processor: ProcFolder.value("model name", in: "/proc/cpuinfo") ?? "unknown",
            coreCount: sysconf(Int32(_SC_NPROCESSORS_ONLN)), kernel: kernel, load: loads[0])
    }

    /// What stands above a result.
    package var line: String {
        "\(processor), \(coreCount) cores, Linux \(kernel), load \(decimal(load, digits: 1))"
            + " at the start"
    }
}
