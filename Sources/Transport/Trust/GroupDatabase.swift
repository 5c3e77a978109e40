internal import Glibc

/// The host's group database. It blocks: some hosts ask a server.
enum GroupDatabase {
    struct Group: Equatable, Sendable {
        var name: String
        /// The group's members: the users that it lists, and the users in `/etc/passwd` whose
        /// primary group it is. Users that only a server knows, and whose primary group this is,
        /// are not found: that would take asking the server for all users.
        var members: Set<UInt32>
        /// Whether the group lists anybody.
        var listsUsers = true
        /// Whether it lists a name for which no user is found. A server that does not answer causes
        /// this too.
        var listsUnknownUsers = false
        /// Whether the group is in `/etc/group`.
        var isLocal = true
    }

    /// The group with a number; `nil` when there is none. Source: getgrgid_r(3).
    static func group(id: UInt32) -> Group? {
        let found = UserDatabase.found { buffer -> (Int32, Group?) in
            var entry = Glibc.group()
            var result: UnsafeMutablePointer<Glibc.group>?
            let code = getgrgid_r(id, &entry, buffer.baseAddress, buffer.count, &result)
            guard code == 0, result != nil else { return (code, nil) }
            var names: [String] = []
            var next = entry.gr_mem
            while let name = next?.pointee {
                names.append(String(cString: name))
                next = next?.advanced(by: 1)
            }
            let listed = names.map { UserDatabase.user(named: $0)?.id }
            let group = Group(
                name: String(cString: entry.gr_name), members: Set(listed.compactMap(\.self)),
                listsUsers: !listed.isEmpty, listsUnknownUsers: listed.contains(nil))
            return (0, group)
        }
        guard var group = found else { return nil }
        group.members.formUnion(usersWithPrimaryGroup(id))
        group.isLocal = isLocal(group.name, id)
        return group
    }

    /// Source: passwd(5).
    static func usersWithPrimaryGroup(_ id: UInt32, in path: String = "/etc/passwd") -> [UInt32] {
        lines(of: path).compactMap { fields in
            guard fields.count >= 4, UInt32(fields[3]) == id else { return nil }
            return UInt32(fields[2])
        }
    }

    /// Source: group(5).
    static func isLocal(_ name: String, _ id: UInt32, in path: String = "/etc/group") -> Bool {
        lines(of: path).contains { fields in
            fields.count >= 3 && fields[0] == name && UInt32(fields[2]) == id
        }
    }

    private static func lines(of path: String) -> [[Substring]] {
        // The path of this file is not judged, because that could ask for a group again.
        guard let file = fopen(path, "re") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < maximumByteCount {
            let count = fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            line.split(separator: ":", omittingEmptySubsequences: false)
        }
    }

    private static let maximumByteCount = 64 << 20
}
