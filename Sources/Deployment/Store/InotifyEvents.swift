/// One event of inotify(7): the watch, the kind, and the name in the watched folder ("" for none).
struct InotifyEvent: Equatable {
    var watch: Int32
    var mask: UInt32
    var name: String

    /// The events in bytes from read(2). Leaves out a cut event and everything after it.
    static func events(in bytes: ArraySlice<UInt8>) -> [InotifyEvent] {
        // struct inotify_event: int wd, uint32 mask, uint32 cookie, uint32 len, char name[len].
        var events: [InotifyEvent] = []
        var rest = bytes
        while rest.count >= 16 {
            // In the host's byte order.
            let header = rest.withUnsafeBytes { bytes in
                (0..<4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
            }
            let length = Int(header[3])
            guard rest.count - 16 >= length else { break }
            let name = rest.dropFirst(16).prefix(length).prefix { $0 != 0 }
            events.append(
                InotifyEvent(
                    watch: Int32(bitPattern: header[0]),
                    mask: header[1], name: String(decoding: name, as: UTF8.self)))
            rest = rest.dropFirst(16 + length)
        }
        return events
    }
}
