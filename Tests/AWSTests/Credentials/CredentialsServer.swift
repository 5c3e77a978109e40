import HTTP
import TestKit
import Transport

@testable import AWS

/// A server on loopback that answers as a test says, and remembers what it was asked.
final class CredentialsServer: Sendable {
    struct Question: Equatable, Sendable {
        var method: String
        var target: String
        var fields: [HTTPField]
        var content: String

        /// "PUT /latest/api/token"
        var line: String { "\(method) \(target)" }

        func field(_ name: String) -> String? { fields.values(name).first }
    }

    private let asked: Shared
    let address: SocketAddress
    private let server: HTTPServer

    private final class Shared: Sendable {
        let questions = Guarded<[Question]>([])
    }

    /// - Parameter answer: gets the question and how many came before it.
    init(
        loop: EventLoop,
        answer: @escaping @Sendable (Question, Int) async -> HTTPServerResponse
    ) async throws {
        let asked = Shared()
        self.asked = asked
        server = HTTPServer(loop: loop) { request in
            let question = Question(
                method: request.method, target: request.head.target, fields: request.head.fields,
                content: String(decoding: request.content, as: UTF8.self))
            let number = asked.questions.withLock { questions in
                questions.append(question)
                return questions.count - 1
            }
            return await answer(question, number)
        }
        address = try await server.start(on: .loopback(port: 0))
    }

    var questions: [Question] { asked.questions.withLock { $0 } }
    var lines: [String] { questions.map(\.line) }
    var url: String { "http://\(address)" }

    static func text(_ status: Int, _ text: String) -> HTTPServerResponse {
        HTTPServerResponse(status, content: .bytes(Array(text.utf8)))
    }

    /// Never answers.
    static func silence(_ loop: EventLoop) async -> HTTPServerResponse {
        await loop.sleep(for: .seconds(1_000))
        return text(500, "")
    }

    static func json(_ key: String, expires: String = "2036-01-01T00:00:00Z") -> HTTPServerResponse
    {
        text(
            200,
            """
            {"Code":"Success","AccessKeyId":"\(key)","SecretAccessKey":"s","Token":"t",
            "Expiration":"\(expires)"}
            """)
    }

    static func xml(_ key: String, expires: String = "2036-01-01T00:00:00Z") -> HTTPServerResponse {
        text(
            200,
            """
            <R><Credentials><AccessKeyId>\(key)</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
            <SessionToken>t</SessionToken><Expiration>\(expires)</Expiration></Credentials></R>
            """)
    }

    static func refusal(_ status: Int, _ code: String, _ message: String) -> HTTPServerResponse {
        text(
            status,
            "<ErrorResponse><Error><Code>\(code)</Code><Message>\(message)</Message></Error>"
                + "</ErrorResponse>")
    }
}
