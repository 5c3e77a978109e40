internal import TestKit

/// Pictures of pages, kept where `DEPLOYEX_PICTURES` names a folder.
package enum Pictures {
    package static func keep(_ browser: Browser, _ name: String) async throws {
        guard let folder = ThisHost.variable("DEPLOYEX_PICTURES") else { return }
        try Files.makeFolders(folder)
        try Files.write(try await browser.picture(), "\(folder)/\(name).png")
    }
}
