@testable import EPMD

/// EPMD's requests and replies, and the daemon with several connections.
///
/// The first byte says which, the second how many bytes come at once.
enum EPMDTarget {
    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let kind = input.byte()
        if kind % 6 == 5 { return try checkDaemon(&input) }
        let pieceByteCount = input.byte()
        let whole = input.pieces(of: 0)
        let pieces = input.pieces(of: pieceByteCount)
        switch kind % 6 {
        case 0: try checkRequest(whole, pieces)
        case 1: try checkReply(EPMDAliveReplyDecoder(), whole, pieces)
        case 2: try checkReply(EPMDPortReplyDecoder(), whole, pieces)
        case 3: try checkReply(EPMDListingDecoder(), whole, pieces)
        default: try checkReply(EPMDCommandReplyDecoder(), whole, pieces)
        }
    }

    private static func request(_ pieces: [ArraySlice<UInt8>]) -> EPMDRequest? {
        var decoder = EPMDRequestDecoder()
        do throws(EPMDRequestError) {
            for piece in pieces {
                if let request = try decoder.receive(piece) { return request }
            }
        } catch {
            return nil
        }
        return nil
    }

    private static func checkRequest(
        _ whole: [ArraySlice<UInt8>], _ pieces: [ArraySlice<UInt8>]
    ) throws {
        guard let request = request(whole) else {
            _ = self.request(pieces)
            return
        }
        try require(self.request(pieces) == request, "\(request) depends on the pieces")
        let encoded = try request.encoded()
        try require(self.request([encoded[...]]) == request, "\(request) is encoded as another")
    }

    private static func checkReply<Decoder: EPMDReplyDecoder>(
        _ decoder: Decoder, _ whole: [ArraySlice<UInt8>], _ pieces: [ArraySlice<UInt8>]
    ) throws where Decoder.Reply: Equatable {
        let reply = reply(decoder, whole)
        try require(reply == self.reply(decoder, pieces), "the reply depends on the pieces")
        switch reply {
        case let reply as EPMDPortReply:
            guard case .found(let node) = reply,
                node.extra.count <= EPMDNodeInfo.maximumExtraByteCount
            else { return }
            try require(
                self.reply(EPMDPortReplyDecoder(), [reply.encoded[...]]) == reply,
                "\(reply) is encoded as another")
        case let reply as EPMDListing:
            for name in reply.names { try require(!name.name.isEmpty, "an empty name") }
        default: return
        }
    }

    private static func reply<Decoder: EPMDReplyDecoder>(
        _ decoder: Decoder, _ pieces: [ArraySlice<UInt8>]
    ) -> Decoder.Reply? {
        var decoder = decoder
        do throws(EPMDReplyError) {
            for piece in pieces {
                if let reply = try decoder.receive(piece) { return reply }
            }
            return try decoder.connectionClosed()
        } catch {
            return nil
        }
    }

    // MARK: The daemon

    private static let connectionLimit = 4

    /// The rest as events of connections: a byte for the event and the connection, a byte of length and bytes
    /// for what it sent.
    private static func checkDaemon(_ input: inout FuzzInput) throws {
        var machine = DaemonMachine(
            port: 4369, connectionLimit: connectionLimit, isRelaxed: input.byte() & 1 == 1,
            firstCreation: 4)
        var open: [DaemonMachine.ConnectionID] = []
        var next: DaemonMachine.ConnectionID = 1
        while !input.isEmpty {
            let event = input.byte()
            let id = open.isEmpty ? nil : open[Int(event >> 3) % open.count]
            let actions: [DaemonMachine.Action]
            switch (event & 7, id) {
            case (0, _), (1, _), (_, nil):
                actions = machine.connectionOpened(next, isLocal: event & 1 == 0)
                open.append(next)
                next += 1
            case (2, let id?):
                open.removeAll { $0 == id }
                actions = machine.connectionClosed(id)
            case (3, let id?): actions = machine.timedOut(id)
            case (4, let id?): actions = machine.drained(id)
            case (_, let id?):
                actions = machine.received(input.bytes(Int(input.byte())), from: id)
            }
            for action in actions {
                switch action {
                case .send(_, let id), .closeAfterSending(let id), .end(let id):
                    try require(open.contains(id), "\(action) after the end of \(id)")
                case .close(let id): open.removeAll { $0 == id }
                case .report, .identify: continue
                }
            }
            try require(open.count == machine.connectionCount, "\(open) is not what is counted")
            try require(open.count <= connectionLimit, "\(open.count) connections")
            let registrations = machine.registry.all
            try require(
                Set(registrations.map(\.node.name)).count == registrations.count,
                "a name twice: \(registrations)")
            try require(
                registrations.allSatisfy { open.contains($0.connection) },
                "a registration without a connection: \(registrations)")
        }
    }
}
