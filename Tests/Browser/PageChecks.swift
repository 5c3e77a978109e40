internal import TestKit

extension Browser {
    /// What is wrong with the page for people who use a keyboard, a screen reader, a phone or weak
    /// eyes.
    package func faults() throws -> [String] {
        let names = try check("names")
        let contrast = try check("contrast").map { "contrast: \($0)" }
        let unnamed = try accessibilityTree().filter {
            Self.named.contains($0.role) && $0.name.allSatisfy(\.isWhitespace)
        }
        return names + contrast + unnamed.map { "a \($0.role) has no name" }
    }

    /// What makes the page wider than the window.
    package func overflow() throws -> [String] {
        try evaluate(
            """
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= innerWidth) return [];
            return [...document.querySelectorAll("main *, header *")]
                .filter((node) => node.getBoundingClientRect().right > width + 1)
                .map((node) => `${node.localName}.${node.className} ${node.textContent.slice(0, 30)}`).slice(0, 10);
            """)
    }

    private func check(_ name: String) throws -> [String] {
        let script = Files.text("\(BuiltProgram.root)/Tests/BrowserTests/Checks/\(name).js")
        guard !script.isEmpty else { throw TestFailure("there is no check \(name)") }
        return try evaluate(script)
    }

    /// The roles of what can be used or stands for a picture.
    private static let named: Set<String> = [
        "button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "tab",
        "tabpanel",
        "dialog", "image", "img", "meter", "heading", "navigation", "table", "log",
    ]
}
