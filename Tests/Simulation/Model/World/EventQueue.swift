internal import Transport

/// What is to happen, in the order of its time; what is due at the same time, in the order of its
/// arrival. A binary heap.
struct EventQueue {
    typealias Event = () -> Void

    private struct Entry {
        var time: MonotonicTime
        var number: Int
        var event: Event

        func precedes(_ other: Entry) -> Bool {
            time == other.time ? number < other.number : time < other.time
        }
    }

    private var heap: [Entry] = []
    private var nextNumber = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func add(at time: MonotonicTime, _ event: @escaping Event) {
        heap.append(Entry(time: time, number: nextNumber, event: event))
        nextNumber += 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() -> (time: MonotonicTime, event: Event)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.time, first.event)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].precedes(heap[least]) {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
