import Glibc

/// The environment variable of that name, if it is set.
func environment(_ name: String) -> [String: String] {
    getenv(name).map { [name: String(cString: $0)] } ?? [:]
}
