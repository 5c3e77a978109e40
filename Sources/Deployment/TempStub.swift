package struct Release: Equatable, Sendable { package var version: String; package var hash: String; package init(version: String, hash: String) { self.version = version; self.hash = hash } }
package enum UpgradeDecision: Equatable, Sendable { case hotUpgrade(from: String, to: String), fullDeployment(reason: String) }
import ExternalTermFormat
extension Term { var description: String { "" } }
