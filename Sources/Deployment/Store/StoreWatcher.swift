internal import Glibc
package import Transport

/// Calls back soon after a folder store's `current.json` may have been created, written, replaced
/// by a rename, or deleted; or after a package may have become whole. It also calls back when the
/// folders are made, moved or deleted later.
///
/// It watches the store's folders from its root down to the file's. While the root does not exist,
/// it watches the nearest existing folder above. A call says "look again", not what has happened,
/// and there may be one too many. Calls are at least the debounce time apart. Inotify(7) does not
/// report changes behind a symbolic link, on a network file system, or by a rename far above the
/// root; a poll must find these. The watcher is confined to its loop; inotify calls look paths up
/// but wait for no data.
package actor StoreWatcher {
    package nonisolated let loop: EventLoop
    package enum Watched: Sendable {
        /// `current.json`
        case catalog
        /// `dist/APP/APP-….tar.gz` and its signature: once a writer has closed it, or it got its name.
        case packages
    }

    private let watched: Watched
    private let application: String
    /// Every folder above the file, from `/` down, each with the name that matters in it. In the
    /// folder of the packages that is every package's.
    private let chain: [(folder: String, name: String)]
    /// The index of the store's root in `chain`.
    private let rootIndex: Int
    private let debounce: Duration
    private let onChange: @Sendable () -> Void
    private let onFailure: @Sendable (SystemError) -> Void

    private var inotify: FileDescriptor?
    private var token: EventLoop.WatchToken?
    /// The watched part of `chain`, from the top down.
    private var watches: [(descriptor: Int32, index: Int)] = []
    private var timer: LoopTimer?
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - onChange: called on the loop's thread.
    ///   - onFailure: called at most once, on the loop's thread. From then on nothing is watched.
    package init(
        _ watched: Watched = .catalog, of store: FolderStore, loop: EventLoop,
        debounce: Duration = .milliseconds(50),
        onChange: @escaping @Sendable () -> Void,
        onFailure: @escaping @Sendable (SystemError) -> Void
    ) {
        self.watched = watched
        application = store.application
        self.loop = loop
        self.debounce = debounce
        self.onChange = onChange
        self.onFailure = onFailure
        var chain: [(folder: String, name: String)] = []
        var folder = ""
        let path =
            switch watched {
            case .catalog: store.currentPath
            case .packages: "\(store.packageFolder)/package"
            }
        for name in Self.names(path) {
            chain.append((folder.isEmpty ? "/" : folder, name))
            folder += "/" + name
        }
        self.chain = chain
        rootIndex = Self.names(store.root).count
    }

    /// Starts watching. It does not call back for a file that is there already: read it after this
    /// call. The watcher lives until ``stop()``.
    package func start() {
        guard inotify == nil else { return }
        do throws(SystemError) {
            let raw = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
            guard raw >= 0 else { throw .last("watching \(path)") }
            inotify = FileDescriptor(owning: raw)
            token = try loop.watch(raw, for: .readable) { _ in
                self.assumeIsolated { $0.receive() }
            }
            try arm()
        } catch {
            fail(error)
        }
    }

    /// Ends watching: it does not call back any more.
    package func stop() {
        if let token { loop.unwatch(token) }
        token = nil
        inotify = nil
        watches = []
        timer?.cancel()
        timer = nil
    }

    private func fail(_ error: SystemError) {
        stop()
        onFailure(error)
    }

    private var path: String {
        chain.last.map { "\($0.folder)/\($0.name)" } ?? "/"
    }

    /// The names of an absolute path; a relative one is taken from the working directory.
    private static func names(_ path: String) -> [String] {
        var path = path
        if !path.hasPrefix("/"), let folder = getcwd(nil, 0) {
            path = String(cString: folder) + "/" + path
            free(folder)
        }
        return path.split(separator: "/").map(String.init).filter { $0 != "." }
    }

    // MARK: Watching

    /// Watches the part of the chain that exists now. It watches each folder before it looks for
    /// the next one in it, so that there is an event if that one appears meanwhile.
    private func arm() throws(SystemError) {
        guard let inotify = inotify?.raw else { return }
        for watch in watches { inotify_rm_watch(inotify, watch.descriptor) }
        watches = []
        var index = min(rootIndex, chain.count - 1)
        while try !watch(index) {
            guard index > 0 else { throw SystemError("watching \(path)", code: ENOENT) }
            index -= 1
        }
        while index + 1 < chain.count, try watch(index + 1) {
            index += 1
            guard index <= rootIndex else { continue }
            let above = watches.removeFirst().descriptor
            if watches.allSatisfy({ $0.descriptor != above }) { inotify_rm_watch(inotify, above) }
        }
    }

    /// Watches one folder of the chain; `false` when the folder does not exist.
    private func watch(_ index: Int) throws(SystemError) -> Bool {
        guard let inotify = inotify?.raw else { return false }
        // Folders higher up, such as /tmp, may be busy: there only names count.
        var mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF
        mask |= IN_MOVE_SELF
        if index == chain.count - 1 {
            mask |= IN_CLOSE_WRITE
            if watched == .catalog { mask |= IN_MODIFY | IN_ATTRIB }
        }
        let folder = chain[index].folder
        // MASK_ADD: because of links, one folder may be at two places of the chain.
        let flags = UInt32(bitPattern: mask) | UInt32(IN_ONLYDIR) | UInt32(IN_MASK_ADD)
        let descriptor = inotify_add_watch(inotify, folder, flags)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return false }
            throw .last("watching \(folder)")
        }
        watches.append((descriptor, index))
        return true
    }

    private func receive() {
        var mustArm = false
        var hasChanged = false
        while let inotify = inotify?.raw {
            let count = read(inotify, &buffer, buffer.count)
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                if count < 0, errno != EAGAIN { return fail(.last("watching \(path)")) }
                break
            }
            for event in InotifyEvent.events(in: buffer[..<count]) {
                switch reaction(to: event) {
                case .nothing: break
                case .call: hasChanged = true
                case .arm: mustArm = true
                }
            }
        }
        if mustArm {
            do throws(SystemError) {
                try arm()
            } catch {
                return fail(error)
            }
        }
        if mustArm || hasChanged { callSoon() }
    }

    private enum Reaction { case nothing, call, arm }

    private func reaction(to event: InotifyEvent) -> Reaction {
        // Events were lost: anything may have happened.
        if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { return .arm }
        let indices = watches.filter { $0.descriptor == event.watch }.map(\.index)
        // The event belongs to a watch that arm() has given up.
        guard !indices.isEmpty else { return .nothing }
        let gone = UInt32(IN_IGNORED) | UInt32(IN_MOVE_SELF) | UInt32(IN_UNMOUNT)
        if event.mask & gone != 0 { return .arm }
        let hits = indices.filter {
            $0 == chain.count - 1 ? isWatched(event) : chain[$0].name == event.name
        }
        if hits.contains(where: { $0 < chain.count - 1 }) { return .arm }
        return hits.isEmpty ? .nothing : .call
    }

    /// Whether an event in the last folder is about what is watched.
    private func isWatched(_ event: InotifyEvent) -> Bool {
        guard watched == .packages else { return chain.last?.name == event.name }
        guard event.name.hasPrefix(application + "-"),
            event.name.hasSuffix(".tar.gz") || event.name.hasSuffix(".tar.gz.minisig")
        else { return false }
        if event.mask & UInt32(IN_CLOSE_WRITE) != 0 || event.mask & UInt32(IN_MOVED_TO) != 0 {
            return true
        }
        // A link is whole at once. What is being written is told when its writer closes it.
        var status = stat()
        return event.mask & UInt32(IN_CREATE) != 0
            && lstat("\(chain.last?.folder ?? "")/\(event.name)", &status) == 0
            && (status.st_mode & S_IFMT == S_IFLNK || status.st_nlink > 1)
    }

    private func callSoon() {
        // Later events do not postpone the call: a busy writer must not prevent it forever.
        guard timer == nil else { return }
        timer = loop.schedule(after: debounce) {
            self.assumeIsolated {
                $0.timer = nil
                $0.onChange()
            }
        }
    }
}
