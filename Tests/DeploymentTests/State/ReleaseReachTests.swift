import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

/// Who may come to which releases.
@Suite(.enabled(if: geteuid() == 0, "only root has applications of other users"))
struct ReleaseReachTests {
    /// A user without an account.
    private static let shop = ProcessUser(
        name: "shop", id: 54_321, group: 54_321, groups: [54_321], home: "/nowhere")

    private func application(
        _ name: String, _ user: ProcessUser?, in folder: TemporaryFolder
    ) -> ReleaseReach.Application {
        .init(
            layout: DeploymentLayout(basePath: folder / "base", application: name), replicas: 2,
            user: user)
    }

    @Test func `a user that cannot come to its releases is its application's trouble alone`()
        throws
    {
        // Nobody else may pass through it.
        let folder = TemporaryFolder()
        try makeFolders(folder / "base/service/mail")
        let reach = ReleaseReach(
            basePath: folder / "base",
            applications: [
                application("shop", Self.shop, in: folder), application("mail", nil, in: folder),
            ])
        let refusals = try reach.apply()
        #expect(Array(refusals.keys) == ["shop"])
        #expect("\(refusals["shop"], default: "")".contains("chmod o+x \(folder.path)"))
        chmod(folder.path, 0o711)
        #expect(try reach.apply() == [:])
    }

    @Test func `what is in the place of an application's folders keeps no other from its own`()
        throws
    {
        let folder = TemporaryFolder()
        chmod(folder.path, 0o711)
        try makeFolders(folder / "base/service")
        try folder.write([], to: "base/service/shop")
        let mail = ProcessUser(
            name: "mail", id: 54_322, group: 54_322, groups: [54_322], home: "/nowhere")
        let refusals = try ReleaseReach(
            basePath: folder / "base",
            applications: [
                application("shop", Self.shop, in: folder), application("mail", mail, in: folder),
            ]
        ).apply()
        #expect(Array(refusals.keys) == ["shop"])
        #expect(try HostFileSystem().status(folder / "base/service/mail/2")?.mode == 0o710)
    }
}
