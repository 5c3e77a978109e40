/// What the holder of deployex's sockets does with each packet. It does no I/O.
package struct HolderMachine: Equatable, Sendable {
    /// What has come with a packet.
    package enum Received: Equatable, Sendable {
        case nothing, listeningSocket
        case other
    }

    package enum Action: Equatable, Sendable {
        /// Keep what was received under this name, and close what had it.
        case keepReceived(HeldSocketName)
        case closeReceived
        case close(HeldSocketName)
        case reply(HolderReply)
        /// Reply with the socket of this name.
        case send(HeldSocketName)
        /// Reply that it is done, and end.
        case end
    }

    /// More than the configuration allows.
    package static let maximumCount = 1024

    /// In their order.
    package private(set) var names: [HeldSocketName] = []

    package init() {}

    package mutating func received(_ packet: [UInt8], with received: Received) -> [Action] {
        let request = HolderRequest(packet)
        // Only one request takes a descriptor; it would stay open for ever with another.
        if case .keep(let name)? = request { return keep(name, received) }
        let closing: [Action] = received == .nothing ? [] : [.closeReceived]
        switch request {
        case .drop(let name)?:
            guard let index = names.firstIndex(of: name) else { return closing + [.reply(.done)] }
            names.remove(at: index)
            return closing + [.close(name), .reply(.done)]
        case .item(let place)?:
            guard Int(place) < names.count else { return closing + [.reply(.noItem)] }
            return closing + [.send(names[Int(place)])]
        case .end?: return closing + [.end]
        case .keep?, nil: return closing + [.reply(.refused(.notUnderstood))]
        }
    }

    private mutating func keep(_ name: HeldSocketName, _ received: Received) -> [Action] {
        switch received {
        case .nothing: return [.reply(.refused(.noListeningSocket))]
        case .other: return [.closeReceived, .reply(.refused(.noListeningSocket))]
        case .listeningSocket: break
        }
        if !names.contains(name) {
            guard names.count < Self.maximumCount else {
                return [.closeReceived, .reply(.refused(.tooMany))]
            }
            names.insert(name, at: names.firstIndex { $0 > name } ?? names.count)
        }
        return [.keepReceived(name), .reply(.done)]
    }
}
