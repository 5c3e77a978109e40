/// An access control list: what other users and groups may do, beside the owner and everybody.
///
/// Source: acl(5); the kernel's form is a version, 2, and then 8 bytes for each entry: tag,
/// permissions and id, all little-endian (`posix_acl_xattr.h`).
package struct AccessList: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var id: UInt32
        /// The permissions as in a mode: 4 reads, 2 writes, 1 executes.
        package var permissions: UInt32
    }

    package var users: [Entry]
    package var groups: [Entry]
    /// The permissions of the file's own group.
    package var ownGroupPermissions: UInt32
}

extension AccessList {
    /// The permissions with the mask applied; `nil` when the bytes are not such a list.
    package init?(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        func number(at index: Int, _ count: Int) -> UInt32 {
            bytes[index..<index + count].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        guard bytes.count >= 4, bytes.count % 8 == 4, number(at: 0, 4) == 2 else { return nil }
        self.init(users: [], groups: [], ownGroupPermissions: 0)
        var mask: UInt32 = 7
        for index in stride(from: 4, to: bytes.count, by: 8) {
            let permissions = number(at: index + 2, 2)
            let entry = Entry(id: number(at: index + 4, 4), permissions: permissions)
            switch number(at: index, 2) {
            case 0x02: users.append(entry)
            case 0x04: ownGroupPermissions = permissions
            case 0x08: groups.append(entry)
            case 0x10: mask = permissions
            // The owner and everybody: the mode contains the same.
            case 0x01, 0x20: break
            default: return nil
            }
        }
        for index in users.indices { users[index].permissions &= mask }
        for index in groups.indices { groups[index].permissions &= mask }
        ownGroupPermissions &= mask
    }
}
