/// What a command asks deployex to do.
enum ControlOrder: Equatable {
    /// A version, or `auto`.
    case deploy(String)
    case rollback
    case unghost(String)
    /// An instance by its number, or its name.
    case restart(String)
    case stop(String)
    case start(String)
    case stopAll

    var name: CommandName {
        switch self {
        case .deploy: .deploy
        case .rollback: .rollback
        case .unghost: .unghost
        case .restart: .restart
        case .stop, .stopAll: .stop
        case .start: .start
        }
    }
}
