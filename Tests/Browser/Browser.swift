internal import FoundationEssentials
internal import Glibc
internal import TestKit

/// A headless Chromium of a test's own, driven by chromedriver. Its methods block, on a thread of
/// its own. It loads what it is told to load, and nothing else.
///
/// Source: W3C, "WebDriver"; chromedriver's own commands begin with `goog` and `se`.
package actor Browser {
    package struct Look: Sendable {
        package var width = 1280
        package var height = 900
        package var isDark = false

        package init(width: Int = 1280, height: Int = 900, isDark: Bool = false) {
            self.width = width
            self.height = height
            self.isDark = isDark
        }

        package static let desktop = Look()
        package static let phone = Look(width: 360, height: 740)
        package static let dark = Look(isDark: true)
    }

    private nonisolated let executor = BlockingExecutor("deployex.browser")
    private let folder = TemporaryFolder("browser")
    private let driver: ChildProcess
    private let port: Int
    private var session = ""

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    private static let slots = Slots(2)

    /// Runs a browser for as long as `body` takes. Two exist at a time at most.
    package static func run<Result: Sendable>(
        _ look: Look = .desktop, _ body: @Sendable (Browser) async throws -> Result
    ) async throws -> Result {
        await slots.take()
        return try await attempt {
            let browser = try Browser()
            return try await attempt {
                try await browser.begin(look)
                return try await body(browser)
            } thenAlways: {
                await browser.end()
            }
        } thenAlways: {
            await slots.give()
        }
    }

    private init() throws(TestFailure) {
        try Files.makeFolders(folder("home"))
        // Its home tells its processes from those of others.
        let environment = ThisHost.environment.merging([
            "HOME": folder("home"), "TMPDIR": folder.path,
        ]) { $1 }
        driver = try ChildProcess(
            ThisHost.find("chromedriver"), ["--port=0"], environment: environment,
            output: .pipe, errors: .null, leadsSession: true)
        let line = try driver.line(containing: "started successfully on port")
        guard let word = line.split(separator: " ").last, let port = Int(word.prefix { $0 != "." })
        else { throw TestFailure("chromedriver says \"\(line)\"") }
        self.port = port
    }

    private func begin(_ look: Look) throws {
        var arguments = [
            "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--disable-background-networking", "--no-first-run", "--disable-sync",
            // Local names lead to this host, and no other name leads anywhere.
            "--host-resolver-rules=MAP * 127.0.0.1", "--window-size=\(look.width),\(look.height)",
        ]
        // Its sandbox does not run as root.
        if geteuid() == 0 { arguments.append("--no-sandbox") }
        let capabilities = Capabilities(arguments: arguments)
        let answer: Session = try send("POST", "/session", capabilities)
        session = "/session/" + answer.sessionId
        try resize(look)
    }

    private func end() {
        // What does not end so is killed.
        _ = try? BlockingRequest.send("DELETE", session, port: port, timeoutSeconds: 20)
        driver.end(within: .seconds(5))
        for _ in 0..<100 where DeployexSite.killPrograms(of: folder.path) > 0 { usleep(20_000) }
    }

    // MARK: Pages

    package func resize(_ look: Look) throws {
        let _: Nothing = try chromium(
            "Emulation.setDeviceMetricsOverride",
            Metrics(width: look.width, height: look.height))
        let _: Nothing = try chromium(
            "Emulation.setEmulatedMedia",
            Media(features: [
                .init(name: "prefers-color-scheme", value: look.isDark ? "dark" : "light")
            ]))
    }

    package func open(_ url: String) throws {
        let _: Nothing = try command("POST", "/url", ["url": url])
    }

    package func reload() throws {
        let _: Nothing = try command("POST", "/refresh", [String: String]())
    }

    package func address() throws -> String { try command("GET", "/url") }

    /// The value of a function's body, in which `await` may be used; `arguments` are texts.
    package func evaluate<Value: Decodable & Sendable>(
        _ body: String, _ arguments: [String] = [], as: Value.Type = Value.self
    ) throws -> Value {
        let script = """
            const done = arguments[arguments.length - 1];
            (async (...given) => { \(body) })(...Array.from(arguments).slice(0, -1))
                .then((value) => done({ value: value ?? null }))
                .catch((error) => done({ error: String(error) }));
            """
        let outcome: Outcome<Value> = try command(
            "POST", "/execute/async", Script(script: script, args: arguments))
        if let error = outcome.error { throw TestFailure("\(error) in: \(body)") }
        guard let value = outcome.value else { throw TestFailure("no value: \(body)") }
        return value
    }

    /// Runs statements.
    package func run(_ body: String, _ arguments: [String] = []) throws {
        let _: Bool = try evaluate(body + "\nreturn true;", arguments)
    }

    /// Waits until an expression is true in the page.
    /// - Parameter expression: `given` are the arguments.
    package func wait(
        _ what: String, _ expression: String, _ arguments: [String] = [],
        for timeout: Duration = .seconds(90)
    ) throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            // A page that is just being left has no answer.
            if (try? evaluate("return Boolean(\(expression));", arguments, as: Bool.self)) == true {
                return
            }
            guard ContinuousClock.now < deadline else {
                let text = (try? evaluate("return document.body.innerText;", as: String.self)) ?? ""
                throw TestFailure("\(what) has not come in \(timeout); the page says:\n\(text)")
            }
            usleep(30_000)
        }
    }

    package func text(_ selector: String = "body") throws -> String {
        try evaluate("return document.querySelector(given[0])?.innerText ?? '';", [selector])
    }

    /// Runs statements in each page before its own scripts.
    package func prepare(_ script: String) throws {
        let _: Nothing = try chromium(
            "Page.addScriptToEvaluateOnNewDocument", ["source": script])
    }

    // MARK: Input

    /// Clicks what people would: the element with this role's tag and this name.
    /// - Parameter selector: which elements come into question.
    package func click(_ name: String, _ selector: String = "button, a") throws {
        let element = try find(name, selector)
        let _: Nothing = try command("POST", "/element/\(element)/click", [String: String]())
    }

    /// Types into an element.
    package func type(_ text: String, into selector: String) throws {
        let found: Element = try command(
            "POST", "/element", ["using": "css selector", "value": selector])
        let _: Nothing = try command("POST", "/element/\(found.id)/value", ["text": text])
    }

    /// Presses keys, wherever the focus is.
    /// - Parameter keys: special ones are WebDriver's, such as `\u{E007}` for Enter.
    package func press(_ keys: String) throws {
        let events = keys.flatMap { key in
            [
                Actions.Event(type: "keyDown", value: String(key)),
                Actions.Event(type: "keyUp", value: String(key)),
            ]
        }
        let _: Nothing = try command(
            "POST", "/actions",
            Actions(actions: [.init(type: "key", id: "keyboard", actions: events)]))
    }

    private func find(_ name: String, _ selector: String) throws -> String {
        let script = """
            const name = (node) => (node.getAttribute("aria-label") ?? node.textContent).trim();
            return [...document.querySelectorAll(arguments[0])]
                .find((node) => node.checkVisibility() && name(node) === arguments[1]) ?? null;
            """
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let found: Element? = try command(
                "POST", "/execute/sync", Script(script: script, args: [selector, name]))
            if let found { return found.id }
            guard ContinuousClock.now < deadline else {
                throw TestFailure("there is no \"\(name)\" among \(selector): \(try text())")
            }
            usleep(30_000)
        }
    }

    // MARK: Windows

    /// Opens a further tab and goes there. Returns what names it.
    @discardableResult
    package func newTab() throws -> String {
        let window: Window = try command("POST", "/window/new", ["type": "tab"])
        try select(window.handle)
        return window.handle
    }

    package func currentTab() throws -> String { try command("GET", "/window") }

    package func select(_ tab: String) throws {
        let _: Nothing = try command("POST", "/window", ["handle": tab])
    }

    package func closeTab() throws {
        let _: [String] = try command("DELETE", "/window")
    }

    // MARK: What it says

    /// What the page and the browser have written to the console since the last time, of any
    /// importance but the lowest.
    package func complaints() throws -> [String] {
        let entries: [LogEntry] = try command("POST", "/se/log", ["type": "browser"])
        return entries.filter { $0.level != "DEBUG" && $0.level != "INFO" }.map(\.message)
    }

    /// A picture of the whole page as PNG.
    package func picture() throws -> [UInt8] {
        struct Size: Codable, Sendable {
            var width: Int
            var height: Int
        }
        let size: Size = try evaluate(
            "return { width: innerWidth, height: document.documentElement.scrollHeight };")
        let clip = Clip(x: 0, y: 0, width: size.width, height: min(size.height, 4000), scale: 1)
        let picture: Picture = try chromium(
            "Page.captureScreenshot",
            Capture(format: "png", captureBeyondViewport: true, clip: clip))
        guard let data = Data(base64Encoded: picture.data) else {
            throw TestFailure("the picture cannot be read")
        }
        return Array(data)
    }

    /// The roles and names of what assistive technology is told of.
    package func accessibilityTree() throws -> [AccessibleNode] {
        let tree: AccessibilityTree = try chromium(
            "Accessibility.getFullAXTree", [String: String]())
        return tree.nodes.filter { $0.ignored != true }.map {
            AccessibleNode(role: $0.role?.value ?? "", name: $0.name?.value ?? "")
        }
    }

    // MARK: WebDriver

    private func chromium<Parameters: Encodable, Value: Decodable>(
        _ name: String, _ parameters: Parameters
    ) throws -> Value {
        try command(
            "POST", "/goog/cdp/execute", ChromiumCommand(cmd: name, params: parameters))
    }

    private func command<Value: Decodable>(_ method: String, _ path: String) throws -> Value {
        try send(method, session + path, [String: String]?.none)
    }

    private func command<Content: Encodable, Value: Decodable>(
        _ method: String, _ path: String, _ content: Content
    ) throws -> Value {
        try send(method, session + path, content)
    }

    private func send<Content: Encodable, Value: Decodable>(
        _ method: String, _ path: String, _ content: Content?
    ) throws -> Value {
        let bytes = try content.map { Array(try JSONEncoder().encode($0)) } ?? []
        let answer = try BlockingRequest.send(method, path, port: port, content: bytes)
        guard answer.status == 200 else {
            let text = String(decoding: answer.content.prefix(2000), as: UTF8.self)
            throw TestFailure("chromedriver: \(method) \(path): \(answer.status) \(text)")
        }
        return try JSONDecoder().decode(Wrapped<Value>.self, from: Data(answer.content)).value
    }
}

/// One node of the accessibility tree.
package struct AccessibleNode: Equatable, Sendable {
    package var role: String
    package var name: String
}
