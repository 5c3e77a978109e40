package import HTTP

/// What a browser may do with our answers. Every answer has these fields: a page that somebody
/// makes of an error must not do more than ours.
package enum BrowserRules {
    package static let fields = [
        HTTPField("Content-Security-Policy", policy),
        HTTPField("X-Content-Type-Options", "nosniff"),
        HTTPField("Referrer-Policy", "no-referrer"),
        HTTPField("Cross-Origin-Opener-Policy", "same-origin"),
        HTTPField("Cross-Origin-Resource-Policy", "same-origin"),
    ]

    /// Nothing but our own files; no inline code, no frames, and no HTML made of text.
    /// Source: Content Security Policy Level 3; Trusted Types.
    static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
        "connect-src 'self'", "font-src 'self'", "base-uri 'none'", "form-action 'self'",
        "frame-ancestors 'none'", "require-trusted-types-for 'script'",
    ].joined(separator: "; ")
}
