import Browser
import TestKit
import Testing

/// The dashboard's pages in a browser, before an invented deployex: what a real one seldom shows.
@Suite(.timeLimit(.minutes(10))) struct PageTests {
    /// The pages, and what each of them shows when it is whole.
    static let pages = [
        (
            "",
            "document.querySelectorAll('article.instance').length === 4 && document.querySelector('.meter')"
        ),
        ("logs?app=counter&instance=1", "document.querySelector('.log-remark')"),
        (
            "logs?app=counter&instance=1&q=GET",
            "document.querySelectorAll('.log-lines li').length === 3"
        ),
        ("versions?app=counter", "document.querySelectorAll('tbody tr').length > 5"),
        ("versions?app=counter&version=0.1.3", "document.querySelector('.one-version pre')"),
        (
            "node?app=counter&instance=1",
            "document.querySelectorAll('tbody tr').length === 8 && document.querySelector('.plot path.line[d]')"
        ),
        (
            "terminal?app=counter&instance=1",
            "document.querySelector('.terminal-page select option')"
        ),
        ("nowhere", "document.querySelector('h1')?.textContent.includes('nothing')"),
    ]

    /// Runs `body` with a browser that is logged in.
    private func run(
        _ look: Browser.Look = .desktop, role: String = "administrator",
        _ body: @Sendable (Browser, AssetSite) async throws -> Void
    ) async throws {
        let site = try await AssetSite.start(InventedDeployex(role: role))
        try await attempt {
            try await Browser.run(look) { browser in
                try await logIn(browser, site)
                try await body(browser, site)
            }
        } thenAlways: {
            await site.stop()
        }
    }

    private func logIn(_ browser: Browser, _ site: AssetSite) async throws {
        try await browser.open(site.url("login?a-link"))
        try await browser.wait("the applications", "document.querySelector('article.instance')")
        // That nobody was logged in before.
        _ = try await browser.complaints()
    }

    @Test func `the link's secret leaves the address, and the page is whole`() async throws {
        try await run { browser, site in
            let address = try await browser.address()
            #expect(address == site.url(""))
            #expect(try await browser.evaluate("return history.length;", as: Int.self) <= 2)
            #expect(try await browser.text().contains("administrator"))
        }
    }

    @Test func `a password lets in, and a wrong one does not`() async throws {
        let site = try await AssetSite.start()
        try await attempt {
            try await Browser.run { browser in
                try await browser.open(site.url("versions?app=counter"))
                try await browser.wait("the login", "document.querySelector('#password')")
                #expect(try await browser.faults() == [])
                try await browser.type("guess\u{E007}", into: "#password")
                try await browser.wait(
                    "a refusal",
                    "document.querySelector('[role=alert]').textContent.includes('wrong')")
                try await browser.run("document.querySelector('#password').value = '';")
                try await browser.type(InventedDeployex.password + "\u{E007}", into: "#password")
                // The page that was asked for.
                try await browser.wait(
                    "the versions", "document.querySelectorAll('tbody tr').length > 5")
                // A reload stays logged in; nothing is kept beyond the tab.
                try await browser.reload()
                try await browser.wait(
                    "the versions", "document.querySelectorAll('tbody tr').length > 5")
                #expect(
                    try await browser.evaluate("return localStorage.length;", as: Int.self) == 0)
                #expect(
                    try await browser.evaluate("return document.cookie;", as: String.self) == "")
                try await browser.click("Log out")
                try await browser.wait("the login", "document.querySelector('#password')")
                #expect(await site.deployex.requests == ["DELETE session"])
            }
        } thenAlways: {
            await site.stop()
        }
    }

    @Test(arguments: [
        ("light", Browser.Look.desktop), ("dark", .dark), ("phone", .phone),
    ])
    func `each page is readable, has names for everything, and says nothing to the console`(
        _ name: String, _ look: Browser.Look
    ) async throws {
        try await run(look) { browser, site in
            for (page, isWhole) in Self.pages {
                try await browser.open(site.url(page))
                try await browser.wait(page, isWhole)
                #expect(try await browser.faults() == [], "\(name): \(page)")
                #expect(try await browser.overflow() == [], "\(name): \(page)")
                let complaints = try await browser.complaints().filter {
                    page != "nowhere" || !$0.contains("404")
                }
                #expect(complaints == [], "\(name): \(page)")
                try await Pictures.keep(browser, "\(name)-\(page.prefix { $0 != "?" })")
            }
        }
    }

    @Test func `hostile names, versions and lines are text`() async throws {
        try await run { browser, site in
            for (page, isWhole) in Self.pages.dropLast() {
                try await browser.open(site.url(page))
                try await browser.wait(page, isWhole)
                let found: Int = try await browser.evaluate(
                    "return document.querySelectorAll('main script, main b, main img').length;")
                #expect(found == 0, "\(page)")
                let hidden: Int = try await browser.evaluate(
                    #"return document.body.textContent.match(/[\u0000-\u0008\u000e-\u001f\u202a-\u202e\u2066-\u2069]/g)?.length ?? 0;"#
                )
                #expect(hidden == 0, "\(page)")
            }
            try await browser.open(site.url(""))
            try await browser.wait("the applications", Self.pages[0].1)
            let text = try await browser.text()
            #expect(text.contains("<script>alert(1)</script>⟨U+202E⟩gnp.exe"))
            #expect(text.contains("<img src=x onerror=alert(1)>⟨U+202E⟩⟨U+001B⟩[31m"))
            #expect(text.contains("javascript:alert(1)"))
            let links: [String] = try await browser.evaluate(
                "return [...document.links].map((link) => link.protocol);")
            #expect(Set(links) == ["http:"])
            #expect(
                try await browser.evaluate("return document.title;", as: String.self)
                    == "Applications – deployex")
        }
    }

    @Test func `a viewer sees no button that acts`() async throws {
        try await run(role: "viewer") { browser, site in
            let acting = [
                "Restart", "Stop", "Start", "Restart all", "Roll back", "Un-ghost", "Pin",
                "Terminal",
            ]
            for (page, isWhole) in Self.pages where !page.hasPrefix("terminal") {
                try await browser.open(site.url(page))
                try await browser.wait(page, isWhole)
                let found: [String] = try await browser.evaluate(
                    "return [...document.querySelectorAll('button, a')].map((node) => node.textContent);"
                )
                #expect(found.filter(acting.contains) == [], "\(page)")
            }
        }
    }

    @Test func `what stops something asks before, and says what came of it`() async throws {
        try await run { browser, site in
            try await browser.click("Stop instance 1 of counter")
            try await browser.wait("a question", "document.querySelector('dialog[open]')")
            #expect(try await browser.faults() == [])
            try await browser.click("Cancel", "dialog button")
            try await browser.wait("no question", "!document.querySelector('dialog')")
            #expect(await site.deployex.requests.filter { $0.hasPrefix("POST") } == [])
            let focused = "document.activeElement.getAttribute('aria-label') === given[0]"
            try await browser.wait("the focus", focused, ["Stop instance 1 of counter"])

            try await browser.click("Stop instance 1 of counter")
            try await browser.click("Stop", "dialog button")
            try await browser.wait(
                "an answer",
                "document.querySelector('.toast')?.textContent.includes('it is being done')")
            try await browser.click("Restart instance 2 of counter")
            try await browser.click("Roll back counter")
            try await browser.click("Roll back", "dialog button")
            try await browser.wait(
                "a refusal",
                "document.querySelector('.toast.error')?.textContent.includes('to go back to <b>')")
            #expect(
                await site.deployex.requests.filter { $0.hasPrefix("POST") } == [
                    "POST apps/counter/instances/1/stop", "POST apps/counter/instances/2/restart",
                    "POST apps/counter/rollback",
                ])
        }
    }

    @Test func `the keyboard alone reaches everything, and one sees where it is`() async throws {
        try await run { browser, _ in
            // Tab. The first is the way past the bar.
            try await browser.run("document.activeElement.blur();")
            try await browser.press("\u{E004}")
            #expect(
                try await browser.evaluate(
                    "return document.activeElement.className;", as: String.self) == "skip")
            let count: Int = try await browser.evaluate(
                "return [...document.querySelectorAll('a[href], button')].filter((node) => node.checkVisibility()).length;"
            )
            try await browser.run("window.reached = new Set();")
            for _ in 0..<count {
                try await browser.run(
                    """
                    const node = document.activeElement;
                    window.reached.add(node);
                    if (getComputedStyle(node).outlineStyle === "none") throw new Error(`no outline: ${node.outerHTML}`);
                    """)
                try await browser.press("\u{E004}")
            }
            let reached: Int = try await browser.evaluate("return window.reached.size;")
            #expect(reached == count)
        }
    }

    @Test func `a lost connection is said, greyed and made anew`() async throws {
        try await run { browser, site in
            try await browser.wait("live", "document.body.dataset.link === 'live'")
            await site.deployex.cut()
            try await browser.wait(
                "the loss",
                "document.querySelector('.banner')?.textContent.startsWith('Connection lost, showing the state of ')"
            )
            #expect(try await browser.faults() == [])
            #expect(
                try await browser.evaluate(
                    "return document.querySelectorAll('article.instance').length;", as: Int.self)
                    == 4)
            _ = try await browser.complaints()
            await site.deployex.accept()
            try await browser.wait(
                "live again",
                "document.body.dataset.link === 'live' && !document.querySelector('.banner')")
        }
    }

    @Test func `eight tabs share one stream, and the next takes over when its tab is closed`()
        async throws
    {
        try await run { browser, site in
            let first = try await browser.currentTab()
            var others: [String] = []
            for index in 0..<7 {
                others.append(try await browser.newTab())
                let page = index % 2 == 0 ? "logs?app=counter&instance=1" : ""
                let isWhole =
                    index % 2 == 0 ? "document.querySelector('.log-text')" : Self.pages[0].1
                try await browser.open(site.url(page))
                // The token comes from another tab; nobody logs in again.
                try await browser.wait(
                    "tab \(index + 2)", "document.body.dataset.link === 'live' && \(isWhole)")
            }
            #expect(await site.deployex.openStreams == 1)
            #expect(await site.deployex.streamCount == 1)
            try await browser.select(first)
            try await browser.closeTab()
            try await eventually("another stream") { await site.deployex.streamCount == 2 }
            for tab in others {
                try await browser.select(tab)
                try await browser.wait("live", "document.body.dataset.link === 'live'")
            }
            try await eventually("one stream") { await site.deployex.openStreams == 1 }
            // A logout in one tab ends all.
            try await browser.click("Log out")
            for tab in others {
                try await browser.select(tab)
                try await browser.wait("the login", "document.querySelector('#password')")
            }
        }
    }
}
