package import Transport

/// Which of the sockets that an earlier deployex has left are the configured ones. It opens nothing.
package struct HeldSocketPlan: Equatable, Sendable {
    /// For each socket that is wanted and there: the name under which it was kept.
    package private(set) var reused: [HeldSocketName: HeldSocketName] = [:]
    /// What has to be opened.
    package private(set) var missing: [HeldSocketName: SocketAddress]
    /// What is not to be kept under its name any more, in order: to be dropped before something is kept
    /// or opened, which may have the same name or port.
    package private(set) var unwanted: [HeldSocketName] = []

    /// - Parameters:
    ///   - wanted: no two at the same address.
    ///   - found: what was left, and where it listens.
    package init(
        wanted: [HeldSocketName: SocketAddress], found: [HeldSocketName: SocketAddress]
    ) {
        missing = wanted
        for (name, address) in found where wanted[name] == address {
            reused[name] = name
            missing[name] = nil
        }
        for (name, address) in found.sorted(by: { $0.key < $1.key }) where reused[name] != name {
            // Whatever happens, it is not kept under this name.
            unwanted.append(name)
            // By its address: a listener, or its mode, may have another name now.
            guard let match = missing.filter({ $0.value == address }).keys.min() else { continue }
            reused[match] = name
            missing[match] = nil
        }
    }
}
