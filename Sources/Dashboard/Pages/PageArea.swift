internal import HTTP
internal import Transport

/// What browsers load: the shell `index.html` at the address of each page, and the files beside it.
///
/// None of it says anything about this host, so it is open to everybody. The shell's own addresses
/// are relative, and every page lies in the same folder: so it works at a sub-path behind a proxy.
struct PageArea: DashboardArea {
    private let paths: [String]
    private let assets: Task<[String: Asset], Never>

    /// The pages' addresses below the dashboard's. The script knows what each shows.
    static let pages = ["", "applications", "login", "logs", "versions", "node", "terminal"]
    private static let shell = "index.html"

    init() {
        paths = Asset.paths()
        // Compressing takes some milliseconds.
        assets = Task {
            await offload {
                Dictionary(uniqueKeysWithValues: Asset.all().map { ($0.path, $0) })
            }
        }
    }

    var routes: [Route] {
        Self.pages.map { page in file(Self.shell, at: "/\(page)") }
            + paths.map { path in file(path, at: "/\(path)") }
    }

    private func file(_ path: String, at pattern: String) -> Route {
        Route("GET", pattern, .open) { (request) throws(DashboardRefusal) in
            guard let asset = await assets.value[path] else {
                throw DashboardRefusal(.notFound, "there is nothing here")
            }
            return asset.response(to: request.http)
        }
    }
}
