internal import FoundationEssentials
internal import Synchronization

/// moto, which plays AWS on a port of 127.0.0.1 and checks signatures. What knows it needs
/// `scripts/setup-python.sh` to have run. It ends with the test.
package final class MotoServer: Sendable {
    private struct Ready: Decodable {
        var port: Int
        var key: String
        var secret: String
        var role: String
    }

    package let port: Int
    /// The key of a user who may do everything.
    package let key: String
    package let secret: String
    /// The name (ARN) of a role that everybody may assume, and that may do everything.
    package let role: String
    private let child: ChildProcess
    private let order = Mutex(())

    package var address: String { "http://127.0.0.1:\(port)" }

    /// The variables with which a program finds it, as deployex and AWS's own programs read them.
    package var variables: [String: String] {
        [
            "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": address,
            "AWS_REGION": "eu-central-1",
        ]
    }

    /// It blocks until the server answers.
    package init() throws {
        let variables = ThisHost.environment.filter {
            !$0.key.hasPrefix("AWS_") && !$0.key.lowercased().hasSuffix("_proxy")
        }
        child = try ChildProcess(
            BuiltProgram.root + "/.build/python/bin/python",
            [BuiltProgram.root + "/Tests/TestKit/moto-server.py"], environment: variables,
            input: .pipe, output: .pipe, errors: .null)
        let text = try child.line(after: "{", within: .seconds(120))
        let ready = try JSONDecoder().decode(Ready.self, from: Data("{\(text)".utf8))
        (port, key, secret, role) = (ready.port, ready.key, ready.secret, ready.role)
    }

    package func makeBucket(_ name: String, in region: String = "eu-central-1") throws {
        try perform("bucket \(name) \(region)")
    }

    /// Uploads a file. In parts of 5 MiB the object's tag is no digest of its content.
    package func put(_ path: String, at key: String, in bucket: String, inParts: Bool = false)
        throws
    {
        try perform("put \(bucket) \(key) \(path)\(inParts ? " parts" : "")")
    }

    package func setSecret(_ name: String, to text: String) throws {
        try perform("secret \(name) \(text)")
    }

    /// What a line of `moto-server.py`'s input orders.
    private func perform(_ line: String) throws {
        try order.withLock { _ in
            try child.write(line + "\n")
            _ = try child.line(after: "done", within: .seconds(120))
        }
    }
}
