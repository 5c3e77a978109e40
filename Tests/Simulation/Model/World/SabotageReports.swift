internal import Deployment

extension Sabotage {
    /// What the engine is told in place of `event`.
    func reported(_ event: EngineEvent) -> EngineEvent {
        switch (self, event) {
        case (.ignoresSilence, .probed(let number, let run, .unresponsive)):
            .probed(number, run: run, .ready)
        case (.ignoresCreation, .connected(let number, _)):
            .connected(number, creation: 1)
        default: event
        }
    }

    /// What is done in place of the engine's `actions`.
    func performed(_ actions: [EngineAction], replicas: Int) -> [EngineAction] {
        guard self == .stopsAllAtOnce else { return actions }
        return actions.flatMap { action in
            if case .terminate = action { return (1...replicas).map { EngineAction.terminate($0) } }
            return [action]
        }
    }
}
