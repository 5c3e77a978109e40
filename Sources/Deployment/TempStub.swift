import ExternalTermFormat
package struct Release: Equatable, Sendable { package var version: String; package var hash: String; package init(version: String, hash: String) { self.version = version; self.hash = hash } }
extension Term { var description: String { "" } }
