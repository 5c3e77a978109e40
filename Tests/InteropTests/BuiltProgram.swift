import Glibc

/// A program of this package. It is built into the folder that the tests run from.
enum BuiltProgram {
    static func path(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let bytes = buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }
        let path = String(decoding: bytes, as: UTF8.self)
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        let beside = "/\(folder)/\(name)"
        return access(beside, X_OK) == 0 ? beside : ".build/debug/\(name)"
    }
}
