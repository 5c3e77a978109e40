/// How much a log line matters, in the order of Erlang's `logger`.
public enum LogLevel: String, Sendable, Equatable {
    case debug, info, notice, warning, error
}
