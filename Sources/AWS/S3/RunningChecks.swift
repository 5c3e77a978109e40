internal import Transport

/// The checks of content that comes piece by piece.
final class RunningChecks {
    private let expected: [ContentCheck]
    private var sha256: Digest?
    private var md5: Digest?
    private var cyclic: [CyclicCheck] = []

    init(_ checks: [ContentCheck]) {
        // A host may have no MD5, by a rule on its cryptography.
        let known = checks.filter { $0.kind != .md5 || Digest.isAvailable(.md5) }
        expected = known
        for kind in Set(known.map(\.kind)) {
            switch kind {
            case .sha256: sha256 = Digest(.sha256)
            case .md5: md5 = Digest(.md5)
            case .cyclic(let kind): cyclic.append(CyclicCheck(kind))
            }
        }
    }

    func update(_ bytes: [UInt8]) {
        sha256?.update(bytes)
        md5?.update(bytes)
        for index in cyclic.indices { cyclic[index].update(bytes) }
    }

    /// What is wrong with the content that has been given, which is all of it.
    func problem() -> String? {
        var values: [ContentCheck.Kind: [UInt8]] = [:]
        values[.sha256] = sha256.take()?.value()
        values[.md5] = md5.take()?.value()
        for check in cyclic { values[.cyclic(check.kind)] = check.value }
        for check in expected {
            guard let value = values[check.kind] else { continue }
            let found = check.isHexadecimal ? Digest.text(value) : Base64.text(value)
            if found != check.expected {
                return "its \(check.kind.text) is \(found), and should be \(check.expected)"
            }
        }
        return nil
    }
}
