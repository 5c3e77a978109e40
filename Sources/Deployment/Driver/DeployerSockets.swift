package import Supervisor

extension Deployer {
    /// How to tell the sockets of an instance's processes; `nil` when there are none, or no such instance.
    package func sockets(ofInstance number: Int) -> SessionSockets? {
        sessions[number]?.sockets
    }
}
