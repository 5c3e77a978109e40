import Browser
import TestKit
import Testing
import Transport

/// The dashboard in a browser, before a deployex with a real release.
@Suite(.serialized, .timeLimit(.minutes(15))) struct DashboardPagesTests {
    /// Runs `body` with a world whose dashboard has a port, and a browser that is logged in.
    private func run(
        replicas: Int, running version: String, _ variables: [String: String] = [:],
        _ body: @Sendable (DeployexWorld, Browser, Dashboard) async throws -> Void
    ) async throws {
        let port = FreePorts.take()
        var options = DeployexWorld.Options()
        options.replicas = replicas
        options.variables = [
            "DEPLOYEX_PHX_SERVER": "true", "DEPLOYEX_PHX_PORT": "\(port)",
        ].merging(variables) { $1 }
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: version)
            try await Browser.run { browser in
                let dashboard = Dashboard(port: port, world: world, browser: browser)
                try await dashboard.logIn()
                try await body(world, browser, dashboard)
            }
        }
    }

    /// What the page at this port shows.
    private struct Dashboard: Sendable {
        let port: Int
        let world: DeployexWorld
        let browser: Browser

        func url(_ path: String) -> String { "http://localhost:\(port)/\(path)" }

        /// By a new link.
        func logIn() async throws {
            let printed = try await world.command("login-link")
            let link = printed.stdout.filter { !$0.isWhitespace }
            guard printed.status == 0, link.hasPrefix(url("login?")) else {
                throw TestFailure("login-link: \(printed)")
            }
            try await browser.open(link)
            try await browser.wait("the applications", "document.querySelector('article.instance')")
            _ = try await browser.complaints()
        }

        /// Waits until each card shows this version as running.
        func waitUntilAllShow(_ version: String) async throws {
            try await browser.wait(
                "all cards to show \(version)",
                """
                [...document.querySelectorAll('article.instance')].every((card) =>
                    card.querySelector('.version').textContent === given[0]
                        && card.querySelector('.badge').textContent === 'running')
                """, [version])
        }

        /// What a fact of a card says.
        func fact(_ word: String, of instance: Int) async throws -> String {
            try await browser.evaluate(
                """
                const label = `Instance ${given[1]} of counter`;
                const card = document.querySelector(`article[aria-label="${label}"]`);
                const names = [...card.querySelectorAll('dt')];
                const name = names.find((entry) => entry.textContent === given[0]);
                return name?.nextElementSibling.textContent ?? '';
                """, [word, "\(instance)"])
        }

        func expectNoFaults(_ page: String) async throws {
            let faults = try await browser.faults()
            #expect(faults == [], "\(page)")
            let complaints = try await browser.complaints()
            #expect(complaints == [], "\(page)")
        }
    }

    @Test func `a rollout is watched live, and instances are restarted, stopped and started`()
        async throws
    {
        try await run(replicas: 3, running: "0.1.0") { world, browser, dashboard in
            try await dashboard.waitUntilAllShow("0.1.0")
            for instance in 1...3 {
                let status = try await world.status(of: instance)
                let pid = try #require(status.osPid)
                #expect(try await dashboard.fact("Process", of: instance) == "\(pid)")
                #expect(
                    try await dashboard.fact("Port", of: instance)
                        == "\(world.firstPort + instance - 1)")
                #expect(try await dashboard.fact("Deployed by", of: instance) == "full deployment")
            }
            try await Pictures.keep(browser, "applications")

            // What follows happens in the same page.
            try await browser.run(
                "window.isTheSame = true; document.querySelector('article button').focus();")
            try await world.publish("0.1.1")
            try await browser.wait(
                "the rollout",
                "document.querySelector('.rollout:not([hidden]) li:is([data-state=working], [data-state=waiting])')"
            )
            try await dashboard.waitUntilAllShow("0.1.1")
            try await browser.wait("its end", "document.querySelector('.rollout').hidden")
            #expect(
                try await browser.evaluate(
                    "return document.activeElement.textContent;", as: String.self) == "Restart")

            let before = try await world.status(of: 2).osPid
            try await browser.click("Restart instance 2 of counter")
            try await world.waitForStatus(of: 2) { $0.status == "running" && $0.osPid != before }
            let after = try #require(try await world.status(of: 2).osPid)
            try await browser.wait(
                "the new process",
                "[...document.querySelectorAll('article')][1].textContent.includes(given[0])",
                ["\(after)"])

            try await browser.click("Stop instance 3 of counter")
            try await browser.click("Stop", "dialog button")
            try await browser.wait(
                "it to be stopped",
                "document.querySelector('article:nth-of-type(3) .badge').textContent === 'idle'"
            )
            try await browser.click("Start instance 3 of counter")
            try await dashboard.waitUntilAllShow("0.1.1")
            #expect(try await browser.evaluate("return window.isTheSame;", as: Bool.self))
            try await dashboard.expectNoFaults("applications")
        }
    }

    @Test func `a restart of deployex under open pages ends in pages that are right`() async throws
    {
        try await run(replicas: 1, running: "0.1.0") { world, browser, dashboard in
            let first = try await browser.currentTab()
            var tabs = [first]
            for _ in 0..<7 {
                tabs.append(try await browser.newTab())
                try await browser.open(dashboard.url("versions?app=counter"))
                try await browser.wait("the history", "document.querySelector('tbody tr')")
            }
            #expect(try await world.endDeployex(15) == 0)
            try await browser.wait(
                "the loss",
                "document.querySelector('.banner')?.textContent.startsWith('Connection lost')")
            try await world.startDeployex()
            // deployex keeps no session: one logs in again, and is where one was.
            try await browser.wait(
                "the login",
                "document.querySelector('main h1')?.textContent === 'Log in to deployex'")
            try await dashboard.logIn()
            try await world.publish("0.1.1")
            for tab in tabs {
                try await browser.select(tab)
                try await browser.wait(
                    "the new version",
                    """
                    document.body.dataset.link === 'live'
                        && document.querySelector('main').textContent.includes('0.1.1')
                    """
                )
            }
        }
    }

    @Test func `versions are shown, pinned and followed again`() async throws {
        try await run(replicas: 1, running: "0.1.0") { world, browser, dashboard in
            try await world.bring(to: "0.1.1")
            try await browser.open(dashboard.url("versions?app=counter"))
            try await browser.wait("both", "document.querySelectorAll('tbody tr').length === 2")
            try await Pictures.keep(browser, "versions")
            try await browser.type("0.1.0", into: "#pin")
            try await browser.click("Pin the version")
            try await browser.wait(
                "the pin", "document.body.textContent.includes('pinned to 0.1.0')")
            try await world.waitForStatus(of: 1) { $0.status == "running" && $0.version == "0.1.0" }
            try await browser.click("Follow new versions automatically")
            try await browser.wait("no pin", "!document.body.textContent.includes('pinned to')")
            try await world.waitForStatus(of: 1) { $0.status == "running" && $0.version == "0.1.1" }
            try await browser.open(dashboard.url("versions?app=counter&version=0.1.0"))
            try await browser.wait(
                "its story", "document.querySelector('.one-version li[data-state=done]')")
            try await dashboard.expectNoFaults("versions")
        }
    }

    @Test func `logs are live and searched, a line is linked to, and a terminal evaluates`()
        async throws
    {
        try await run(replicas: 2, running: "0.1.0") { world, browser, dashboard in
            try await browser.open(dashboard.url("logs?app=counter&instance=all"))
            try await browser.wait("lines", "document.querySelectorAll('.log-text').length > 0")
            try await Pictures.keep(browser, "logs")
            try await dashboard.expectNoFaults("logs")

            try await browser.open(dashboard.url("terminal?app=counter&instance=1"))
            try await browser.wait(
                "the instance", "document.querySelector('.terminal-page select option')")
            try await browser.click("Open a terminal")
            try await browser.wait(
                "a prompt",
                "document.querySelector('.terminal')?.textContent.includes('iex(counter-1@')")
            try await browser.press(
                "IO.puts(\"live \" <> to_string(6 * 7) <> \" <b>\")\u{E007}")
            try await browser.wait(
                "the result",
                "document.querySelector('.terminal').textContent.includes('live 42 <b>')")
            try await Pictures.keep(browser, "terminal")
            try await dashboard.expectNoFaults("terminal")
            // What the application itself prints is in its log at once.
            let terminal = try await browser.currentTab()
            let log = try await browser.newTab()
            try await browser.open(dashboard.url("logs?app=counter&instance=1"))
            try await browser.wait(
                "the live log",
                "document.body.dataset.link === 'live' && document.querySelector('.log-text')")
            try await browser.select(terminal)
            try await browser.press(
                #"IO.puts(:user, "a line <script>document.title = 1</script> \e[31mred\e[0m \u202Eback")"#
                    + "\u{E007}")
            try await browser.select(log)
            try await browser.wait(
                "the line",
                "[...document.querySelectorAll('.log-text')].some((line) => line.textContent === given[0])",
                ["a line <script>document.title = 1</script> red ⟨U+202E⟩back"]
            )
            try await browser.type("line <scr\u{E007}", into: "#search")
            try await browser.wait(
                "the match", "document.querySelectorAll('.log-lines li').length === 1")
            try await browser.click("Link to this line")
            try await browser.wait(
                "the marked line",
                "document.querySelector('.log-lines .marked')?.textContent.includes('red')")
            try await dashboard.expectNoFaults("a line")
            try await browser.select(log)
            try await browser.click("Log out")
            try await browser.wait(
                "the login",
                "document.querySelector('main h1')?.textContent === 'Log in to deployex'")
            try await Pictures.keep(browser, "login")
        }
    }

    @Test func `the node page shows figures, processes and the tree`() async throws {
        try await run(replicas: 1, running: "0.1.0") { _, browser, dashboard in
            try await browser.open(dashboard.url("node?app=counter&instance=1"))
            try await browser.wait(
                "figures",
                """
                document.querySelector('.node-figures .meter')
                    && document.querySelector('.plot path.line[d]')
                """
            )
            try await browser.wait("processes", "document.querySelectorAll('tbody tr').length > 20")
            try await Pictures.keep(browser, "node")
            try await browser.click("Supervision tree")
            try await browser.wait(
                "the tree",
                "document.querySelector('.tree')?.textContent.includes('Counter.Server')")
            try await browser.click("ETS tables")
            try await browser.wait(
                "the tables",
                "document.querySelector('[role=tabpanel]').textContent.includes('ac_tab')")
            try await dashboard.expectNoFaults("node")
        }
    }

    @Test
    func `a page of the application reaches nothing, and a used link and guesses do not log in`()
        async throws
    {
        let hasher = try ChildProcess(
            BuiltProgram.deployex, ["hash-password"], input: .pipe, output: .pipe)
        try hasher.write("correct horse battery\n")
        hasher.closeInput()
        let hash = try await offload { try hasher.wait().output }
        let variables = [
            "DEPLOYEX_ADMIN_PASSWORD_HASH": hash.filter { !$0.isWhitespace }
        ]
        try await run(replicas: 1, running: "0.1.0", variables) { world, browser, dashboard in
            let before = try await world.status(of: 1).osPid
            // Same host name, another port: the browser sends the cookie along.
            try await browser.open("http://localhost:\(world.firstPort)/")
            let answers: [String] = try await browser.evaluate(
                """
                const answers = [];
                for (const [path, options] of [
                    ["api/v1/status", {}], ["api/v1/events", {}], ["api/v1/session", {}],
                    ["api/v1/apps/counter/instances/1/restart", { method: "POST" }],
                    ["api/v1/session", { method: "DELETE" }],
                    ["api/v1/apps/counter/instances/1/terminals", { method: "POST", body: "{}" }],
                ]) {
                    const answer = await fetch(given[0] + path, {
                        credentials: "include", mode: "no-cors", ...options,
                    }).then((response) => response.type, (error) => "refused");
                    answers.push(answer);
                    answers.push(await fetch(given[0] + path, {
                        credentials: "include", headers: { "X-Deployex-Token": "0" }, ...options,
                    }).then((response) => response.text(), () => "refused"));
                }
                return answers;
                """, [dashboard.url("")])
            // What is sent without asking comes back unreadable; what needs asking is not sent.
            #expect(answers.allSatisfy { ["opaque", "refused"].contains($0) }, "\(answers)")
            _ = try await browser.complaints()
            try await browser.run(
                """
                const frame = document.createElement("iframe");
                frame.src = given[0];
                const loaded = new Promise((done) => { frame.onload = done; });
                document.body.append(frame);
                await loaded;
                """, [dashboard.url("")])
            try await eventually("the browser to refuse the frame") {
                try await browser.complaints().contains { $0.contains("frame-ancestors") }
            }
            #expect(try await world.status(of: 1).osPid == before)
            // The session is still there: nothing has ended it.
            try await browser.open(dashboard.url(""))
            try await browser.wait("the applications", "document.querySelector('article.instance')")
            try await browser.click("Log out")
            try await browser.wait("the form", "document.querySelector('#password')")
            let link = try await world.command("login-link").stdout.filter { !$0.isWhitespace }
            try await browser.open(link)
            try await browser.wait("the applications", "document.querySelector('article.instance')")
            try await browser.click("Log out")
            try await browser.wait("the form", "document.querySelector('#password')")
            try await browser.open(link)
            try await browser.wait(
                "the refusal of a used link",
                "document.querySelector('[role=alert]')?.textContent.includes('not valid any more')"
            )
            try await browser.wait("the form", "document.querySelector('#password')")
            // Ten within a minute: a slow browser takes longer, and needs more.
            var text = ""
            for number in 1...60 where !text.contains("too many failed attempts") {
                try await browser.type("guess \(number)\u{E007}", into: "#password")
                try await browser.wait(
                    "the answer to guess \(number)",
                    """
                    !document.querySelector('form [aria-busy]')
                        && document.querySelector('[role=alert]')?.checkVisibility()
                    """)
                text = try await browser.text("[role=alert]")
            }
            #expect(text.contains("too many failed attempts"))
            try await browser.type("correct horse battery\u{E007}", into: "#password")
            try await browser.wait(
                "the right one to be refused as well",
                """
                !document.querySelector('form [aria-busy]')
                    && document.querySelector('[role=alert]')?.textContent.includes('too many')
                """)
        }
    }
}
