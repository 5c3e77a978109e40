internal import Transport

extension LogFiles {
    /// The instances of an application that have a log, also those that are no longer configured.
    /// It blocks.
    package func instances(app: String) throws(FileSystemError) -> [InstanceNumber] {
        let names: [String]
        do throws(FileSystemError) {
            let folder = try LogOpening.folder(of: folder(app: app) + "/log", owners: owners)
            names = try HostFileSystem(below: folder).list(folder.path)
        } catch {
            if error.isNotFound { return [] }
            throw error
        }
        let found = names.compactMap { name -> InstanceNumber? in
            guard name.hasPrefix(app + "-"), name.hasSuffix(".log") else { return nil }
            let parts = name.dropFirst(app.count + 1).dropLast(4)
                .split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, Stream(rawValue: String(parts[1])) != nil,
                let number = Int(parts[0]), "\(number)" == parts[0]
            else { return nil }
            return InstanceNumber(rawValue: number)
        }
        return Set(found).sorted()
    }
}
