import Supervisor
import Testing

@testable import Deployment

/// Which applications a release cannot do without, by its `.rel` and `.app` files.
@Suite struct RequiredApplicationsTests {
    private let tree = ReleaseTree()

    private func required(_ applications: String) throws -> [String] {
        try tree.write(
            tree.current + "/releases/1.0.0/shop_prod.rel",
            "{release,{\"shop_prod\",\"1.0.0\"},{erts,\"13.1.5\"},[\(applications)]}.\n")
        return try RequiredApplications.read(
            tree.current, name: "shop_prod", version: "1.0.0", files: tree.files
        ).names
    }

    @Test func `those that are permanent, or of no type`() throws {
        #expect(
            try required(
                """
                {kernel,"8.5"},{stdlib,"4.2",permanent},{shop,"1",permanent,[]},{web,"1",[]},
                {a,"1",transient},{b,"1",temporary},{c,"1",load},{d,"1",none}
                """) == ["kernel", "stdlib", "shop", "web"])
    }

    @Test func `not those that another includes, by either file`() throws {
        try tree.write(
            tree.current + "/lib/shop-1/ebin/shop.app",
            "{application,shop,[{vsn,\"1\"},{included_applications,[mnesia]},{mod,{shop,[]}}]}.")
        #expect(
            try required(#"{shop,"1"},{mnesia,"4"},{web,"1",[ssh]},{ssh,"5"}"#)
                == ["shop", "web"])
    }

    @Test(arguments: ["", "{application,shop}.", "{application,shop,[{included_applications,x}]}."])
    func `an odd .app file includes none`(text: String) throws {
        try tree.write(tree.current + "/lib/shop-1/ebin/shop.app", text)
        #expect(try required(#"{shop,"1"}"#) == ["shop"])
    }

    @Test func `without a .rel file nothing is known, and that is said`() {
        #expect(throws: FileSystemError.self) {
            try RequiredApplications.read(
                tree.current, name: "shop_prod", version: "1.0.0", files: tree.files)
        }
    }
}
