/// Lets few of something exist at a time, such as browsers or worlds with virtual machines: each of
/// them would be slow for all.
package actor Slots {
    private var free: Int
    private var waiters: [CheckedContinuation<Void, Never>] = []

    package init(_ count: Int) {
        free = count
    }

    /// Returns when one is free, which then is not any more.
    package func take() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiters.append($0) }
    }

    package func give() {
        if waiters.isEmpty { free += 1 } else { waiters.removeFirst().resume() }
    }
}
