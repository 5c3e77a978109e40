internal import Transport

/// The record of one instance, in memory and on disk. Several sides change it, each its own part.
/// The changes are written one after the other, each time as the whole record.
package final class InstanceRecordKeeper: Sendable {
    private struct State {
        var record: InstanceRecord
        var written: InstanceRecord?
    }

    private let folder: InstanceRecordFolder
    private let state: Guarded<State>

    /// - Parameter record: the one found on disk, or a new one.
    package init(_ record: InstanceRecord, in folder: InstanceRecordFolder) {
        self.folder = folder
        state = Guarded(State(record: record, written: nil))
    }

    package var record: InstanceRecord { state.withLock { $0.record } }

    /// Changes the record and writes it. If writing fails, the change stays in memory and is
    /// written with the next one. It blocks.
    package func update(_ change: (inout InstanceRecord) -> Void) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            change(&state.record)
            guard state.record != state.written else { return }
            try folder.write(state.record)
            state.written = state.record
        }
    }

    /// Writes the record again, if it was ever written: somebody has removed it. It blocks.
    package func rewrite() throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            guard state.written != nil || state.record.process != nil else { return }
            try folder.write(state.record)
            state.written = state.record
        }
    }
}
